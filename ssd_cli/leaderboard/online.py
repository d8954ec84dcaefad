"""The reference results of the archives' keepers (timeseriesclassification.com), which aeon reads too: accuracies on 30 resamples.

Nothing of them is shipped. What a file lacks is named with its reason, where aeon's loaders leave the dataset out without a word.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ssd_cli.errors import MisuseError, SsdBenchError, did_you_mean
from ssd_cli.leaderboard.external import External, Protocol, default_split, resample_mean
from ssd_cli.leaderboard.missing import numbers

PREFIX = "aeon:"
Fetch = Callable[[str], Path]


def online(names: list[str], resamples: set[int], fetch: Fetch | None) -> list[External]:
    """The reference results of some classifiers.

    Parameters
    ----------
    names : list of str
        ``aeon:`` and a name or an alias that aeon knows.
    resamples : set of int
        Those that are averaged; all where there are no own results.
    fetch : callable
        From a file's place below the address of the reference results to a copy of it.

    Raises
    ------
    MisuseError
        A name that aeon does not know.
    SsdBenchError
        The file cannot be had, or is not a table of accuracies.
    """
    if not names:
        return []
    if fetch is None:
        raise MisuseError(f"{names[0]} must be fetched.", "Expected names that are shipped with ssd-bench.")
    return [_read(name, _official(name), resamples, fetch) for name in names]


def _official(name: str) -> str:
    from aeon.benchmarking.results_loaders import NAME_ALIASES, estimator_alias

    try:
        return str(estimator_alias(name.removeprefix(PREFIX)))
    except ValueError:
        known = list(NAME_ALIASES)
        suggestion = did_you_mean(name.removeprefix(PREFIX), known)
        raise MisuseError(f"aeon knows no reference results '{name}'.{suggestion}", f"Known: {', '.join(known)}.") from None


def _read(name: str, official: str, resamples: set[int], fetch: Fetch) -> External:
    path = fetch(f"classification/accuracy/{official}_accuracy.csv")
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = [row for row in csv.reader(file) if row] or [[]]
    try:
        columns = {int(number): place for place, number in enumerate(head) if place}
        table = {row[0]: {k: float(row[place]) for k, place in columns.items()} for row in rows}
        if not table or any(not (math.isnan(value) or 0 <= value <= 1) for row in table.values() for value in row.values()):
            raise ValueError
    except (ValueError, IndexError):
        raise SsdBenchError(
            f"{path} is no table of accuracies.",
            "Expected 'Resamples:,0,1,…' and a line for every dataset.",
            "Delete it and try again.",
        ) from None
    wanted = sorted(resamples or columns)
    scores, gaps = {}, {}
    for dataset, row in table.items():
        lacking = {k for k in wanted if math.isnan(row.get(k, math.nan))}
        if lacking:
            gaps[dataset] = f"no number for resample {numbers(lacking)} in {path.name}"
        else:
            scores[dataset] = sum(row[k] for k in wanted) / len(wanted)
    fetched = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    source = (
        f"timeseriesclassification.com, {path.name}, {len(table)} datasets, copy of {fetched}; Middlehurst et al. 2024, DMKD 38"
    )
    return External(f"{name} (published)", name, "published", _protocol(wanted), scores, source, gaps)


def _protocol(resamples: list[int]) -> Protocol:
    if resamples == [0]:
        return default_split
    if resamples == list(range(30)):
        return resample_mean
    return Protocol(f"mean of resamples {numbers(set(resamples))}, beyond 0 not the same draws as ours", False)
