"""Errors for users: one sentence each for what happened, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM: 128 and the number of SIGINT."""


class SsdBenchError(Exception):
    """An error that the user can correct: what happened and where, what was expected, and the action that corrects it."""

    exit_code = 1

    def __init__(self, what: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(what, expected, remedy)
        self.what, self.expected, self.remedy = what, expected, remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.expected, self.remedy) if part)


class MisuseError(SsdBenchError):
    """The command line, a suite or a parameter is wrong: exit code 2; nothing was computed."""

    exit_code = 2


def did_you_mean(name: str, known: list[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, else for one with this beginning, else an empty string."""
    from difflib import get_close_matches

    lowered = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    near = near or [candidate for candidate in lowered if len(name) > 2 and candidate.startswith(name.lower())]
    return f" Did you mean '{lowered[near[0]]}'?" if near else ""


def shortened(names: Sequence[str], most: int = 8, separator: str = ", ") -> str:
    """Join the first few of many names, and count the rest."""
    return separator.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
