"""Published accuracies, as facts with their sources. Only what other people measured; nothing here was run by us.

Names of the form ``aeon:HC2`` are not shipped: they are fetched (`ssd_cli.leaderboard.online`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ssd_cli.errors import MisuseError, did_you_mean
from ssd_cli.leaderboard.external import External, default_split, resample_mean
from ssd_cli.leaderboard.online import PREFIX, Fetch, online

_FOLDER = Path(__file__).parent
_PROTOCOLS = {protocol.text: protocol for protocol in (default_split, resample_mean)}


@cache
def published_names() -> tuple[str, ...]:
    """All names that can be asked for."""
    return tuple(row["name"] for row in _rows("sources.csv"))


def published(names: list[str], resamples: Iterable[int] = (), fetch: Fetch | None = None) -> list[External]:
    """The published results of these names.

    Parameters
    ----------
    names : list of str
    resamples : iterable of int
        Of the own results; of what is fetched the same are averaged.
    fetch : callable, optional
        From a file's place below the address of the reference results to a copy of it; needed for the names ``aeon:…``.

    Raises
    ------
    MisuseError
        For an unknown name.
    """
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
    return found + online([name for name in dict.fromkeys(names) if name.startswith(PREFIX)], set(resamples), fetch)


@cache
def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
