"""The external results that a command names: published accuracies, reference results (``aeon:HC2``), and files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ssd_cli.errors import MisuseError, did_you_mean
from ssd_cli.leaderboard.external.files import averaged, read_files
from ssd_cli.leaderboard.external.reference import PREFIX, reference_results
from ssd_cli.leaderboard.external.result import (
    External,
    check_names,
    default_split,
    doubts_and_notes,
    matched,
    protocol_warnings,
    resample_mean,
    rounding_note,
)
from ssd_cli.leaderboard.external.table import TableMethod, read_table

_FOLDER = Path(__file__).parent
_PROTOCOLS = {protocol.text: protocol for protocol in (default_split, resample_mean)}
_DOUBTS = {
    "DodgerLoopDay": (
        ("inceptiontime", "inception", "resnet", "fcn"),
        "0.15 or less is the share of one class of seven, while others reach 0.54 to 0.60; its series have missing values",
    ),
    "Fungi": (("resnet", "fcn"), "0.18 or less, while other networks reach 1; it has one training case per class"),
}
"""Shipped numbers that are artefacts of the programs that made them: dataset, names, and why."""


@dataclass(frozen=True)
class ExternalSources:
    """Names of `published` results, and files or folders for `read_files`; false if there are none.

    `announce` receives a sentence before a download.
    """

    names: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    announce: Callable[[str], None] = field(default=lambda text: None, compare=False, repr=False)
    _known: dict[frozenset[int], list[External]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.names or self.files)

    def read(self, resamples: Iterable[int]) -> list[External]:
        """Read the results that belong beside own results of these resamples; repeated calls read nothing again."""
        if not self:
            return []
        chosen = frozenset(resamples)
        if chosen not in self._known:
            own = [one for path in self.files for one in read_files(path, set(chosen))]
            self._known[chosen] = [*published(list(self.names), chosen, self.announce), *own]
        return self._known[chosen]


NONE = ExternalSources()


def by_resamples(
    sources: ExternalSources, names: list[str], datasets: list[str], runs: Sequence[tuple[int, int]]
) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Read the external results for every choice of resamples that the page offers.

    Return name, method and backbone of each, and by the resamples of chosen runs ("0,1,2") the "warnings", the "notes" for the
    caption and the "methods": by name the "scores" (by dataset, None where missing), "decimals", "protocol", "source" and "gaps"
    (reasons by dataset).
    """
    if not sources:
        return [], {}
    resamples, seeds = ({run[k] for run in runs} for k in (0, 1))
    every = {frozenset(resamples), *(frozenset([k]) for k in resamples)}
    every |= {frozenset(k for k, seed in runs if seed == one) for one in seeds}
    choices, methods = {}, []
    for chosen in sorted(map(sorted, every)):
        found, renamed = matched(sources.read(chosen), datasets)
        check_names(found, names)
        methods = [{"name": one.name, "method": one.label, "backbone": one.kind} for one in found]
        choices[",".join(map(str, chosen))] = {
            "methods": {one.name: _numbers(one, datasets) for one in found},
            "warnings": [*renamed, *protocol_warnings(found, set(chosen)), *doubts_and_notes(found, datasets)],
            "notes": rounding_note(found),
        }
    return methods, choices


def _numbers(one: External, datasets: list[str]) -> dict[str, Any]:
    return {
        "scores": [one.scores.get(dataset) for dataset in datasets],
        "protocol": one.protocol.text,
        "source": one.source,
        "decimals": one.decimals,
        "gaps": {dataset: reason for dataset, reason in one.gaps.items() if dataset in datasets},
    }


@cache
def published_names() -> tuple[str, ...]:
    """Return all names that are shipped."""
    return tuple(row["name"] for row in _sources())


def published(
    names: list[str], resamples: Iterable[int] = (), announce: Callable[[str], None] = lambda text: None
) -> list[External]:
    """Read published results of these names; downloaded ones are averaged over the given resamples, after a call of `announce`."""
    known = published_names()
    shipped = [name for name in names if not name.startswith(PREFIX)]
    for name in shipped:
        if name not in known:
            raise MisuseError(
                f"There are no published results '{name}'.{did_you_mean(name, list(known))}",
                f"Known: {', '.join(known)}; {PREFIX}HC2 and the like are fetched.",
            )
    sources = {row["name"]: row for row in _sources()}
    found = []
    for name in dict.fromkeys(shipped):
        method, row = _shipped()[name], sources[name]
        scores, _, _ = averaged(method, set(), _FOLDER / "accuracies.csv")
        found.append(
            External(
                name=f"{name} (published)",
                label=name,
                kind="published",
                protocol=_PROTOCOLS[row["protocol"]],
                scores=scores,
                source=f"{row['title']}: {row['runs']}; {row['file']}; {row['citation']}",
                decimals=method.decimals,
                doubts={dataset: reason for dataset, (names, reason) in _DOUBTS.items() if name in names},
            )
        )
    return found + [reference_results(name, set(resamples), announce) for name in dict.fromkeys(names) if name.startswith(PREFIX)]


@cache
def _sources() -> list[dict[str, str]]:
    with (_FOLDER / "sources.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def _shipped() -> dict[str, TableMethod]:
    return {method.name: method for method in read_table(_FOLDER / "accuracies.csv").methods}
