"""Published accuracies with their sources; none of them was computed by this project.

Names of the form ``aeon:HC2`` are not shipped with the package: `reference_results` downloads them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ssd_cli.errors import MisuseError, did_you_mean
from ssd_cli.leaderboard.external.reference import PREFIX, reference_results
from ssd_cli.leaderboard.external.result import External, default_split, resample_mean

_FOLDER = Path(__file__).parent
_PROTOCOLS = {protocol.text: protocol for protocol in (default_split, resample_mean)}


@cache
def published_names() -> tuple[str, ...]:
    """Return all names that are shipped."""
    return tuple(row["name"] for row in _rows("sources.csv"))


def published(names: list[str], resamples: Iterable[int] = ()) -> list[External]:
    """Read published results of these names; downloaded ones are averaged over the given resamples."""
    known = published_names()
    shipped = [name for name in names if not name.startswith(PREFIX)]
    for name in shipped:
        if name not in known:
            raise MisuseError(
                f"There are no published results '{name}'.{did_you_mean(name, list(known))}",
                f"Known: {', '.join(known)}; {PREFIX}HC2 and the like are fetched.",
            )
    table = _rows("accuracies.csv")
    sources = {row["name"]: row for row in _rows("sources.csv")}
    found = [
        External(
            name=f"{name} (published)",
            label=name,
            kind="published",
            protocol=_PROTOCOLS[sources[name]["protocol"]],
            scores={row["dataset"]: float(row[name]) for row in table if row[name]},
            source=f"{sources[name]['title']}: {sources[name]['runs']}; {sources[name]['file']}; {sources[name]['citation']}",
        )
        for name in dict.fromkeys(shipped)
    ]
    return found + [reference_results(name, set(resamples)) for name in dict.fromkeys(names) if name.startswith(PREFIX)]


@cache
def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
