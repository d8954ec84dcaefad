"""Published accuracies, as facts with their sources. Only what other people measured; nothing here was run by us."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from ssd_cli.errors import MisuseError, did_you_mean
from ssd_cli.leaderboard.external import External, default_split, resample_mean

_FOLDER = Path(__file__).parent
_PROTOCOLS = {protocol.text: protocol for protocol in (default_split, resample_mean)}


@cache
def published_names() -> tuple[str, ...]:
    """All names that can be asked for."""
    return tuple(row["name"] for row in _rows("sources.csv"))


def published(names: list[str]) -> list[External]:
    """The published results of these names; MisuseError for an unknown one."""
    known = published_names()
    for name in names:
        if name not in known:
            raise MisuseError(
                f"There are no published results '{name}'.{did_you_mean(name, list(known))}", f"Known: {', '.join(known)}."
            )
    table = _rows("accuracies.csv")
    sources = {row["name"]: row for row in _rows("sources.csv")}
    return [
        External(
            name=f"{name} (published)",
            label=name,
            kind="published",
            protocol=_PROTOCOLS[sources[name]["protocol"]],
            scores={row["dataset"]: float(row[name]) for row in table if row[name]},
            source=f"{sources[name]['title']}: {sources[name]['runs']}; {sources[name]['file']}; {sources[name]['citation']}",
        )
        for name in dict.fromkeys(names)
    ]


@cache
def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
