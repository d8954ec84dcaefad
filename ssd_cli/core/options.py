"""Options, each defined once: its default, help text, choices and spelling on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field
from typing import Any, cast

from ssd_cli.errors import MisuseError, did_you_mean

DEVICES = ("auto", "cpu", "cuda", "mps")
FITTED = 0.95
"""Training accuracy in evaluation mode from which a network has fitted its training cases."""


@dataclass(frozen=True)
class Option:
    """How a field of a dataclass appears on the command line."""

    help: str  # "{choices}" stands for the choices
    flags: tuple[str, ...] = ()  # spellings in the form that typer takes; empty: "--" and the name of the field
    choices: Callable[[], Sequence[Any]] | None = None
    names: str = ""  # the kind of name ("method", "dataset", …) that the shell completes

    @property
    def text(self) -> str:
        """The help text with the choices filled in."""
        allowed = [*self.choices()] if self.choices else []
        return self.help.format(choices=", ".join(map(str, allowed[:-1])) + f" or {allowed[-1]}" if allowed else "")


def option(default: Any, help: str, **details: Any) -> Any:
    """Return a dataclass field that is an option of the command line; see `Option` for the details."""
    return field(default=default, metadata={"option": Option(help, **details)})


def option_of(one: Field[Any]) -> Option:
    """Return the option that a field was declared with."""
    return cast(Option, one.metadata["option"])


def require_choice(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """Raise a MisuseError that names the option unless the value is None or permitted."""
    if value is not None and value not in allowed:
        known = list(map(str, allowed))
        raise MisuseError(f"{name} cannot be '{value}'.{did_you_mean(str(value), known)}", f"Expected one of {', '.join(known)}.")
