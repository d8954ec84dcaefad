"""The reference results of timeseriesclassification.com: accuracies on 30 resamples, downloaded on first use.

A dataset that a file lacks is listed with the reason; aeon's loaders omit it silently.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ssd_cli.errors import MisuseError, SsdBenchError, did_you_mean
from ssd_cli.leaderboard.external.files import averaged
from ssd_cli.leaderboard.external.result import External
from ssd_cli.leaderboard.external.table import TableMethod, read_table

PREFIX = "aeon:"
ADDRESS = "https://timeseriesclassification.com/results/ReferenceResults"
MOST_BYTES = 2**24
"""Largest file of results that is downloaded; those of aeon have less than 100 kB."""


def reference_results(name: str, resamples: set[int], announce: Callable[[str], None] = lambda text: None) -> External:
    """Read the results of ``aeon:`` and a name or alias that aeon knows, averaged over `resamples` (empty: all).

    `announce` receives a sentence before a download. An unknown name, or a file that cannot be downloaded or is not a table of
    accuracies, raises an SsdBenchError.
    """
    path = fetch(f"classification/accuracy/{_official(name)}_accuracy.csv", announce)
    method = _method(path)
    scores, gaps, protocol = averaged(method, resamples, path)
    fetched = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    source = (
        f"timeseriesclassification.com, {path.name}, {len(method.results)} datasets, copy of {fetched}; "
        "Middlehurst et al. 2024, DMKD 38"
    )
    return External(f"{name} (published)", name, "published", protocol, scores, source, gaps, method.decimals)


def fetch(place: str, announce: Callable[[str], None] = lambda text: None) -> Path:
    """Return a copy of one file, downloaded or cached; ``$SSD_BENCH_REFERENCE_RESULTS`` may be another URL or folder.

    `announce` receives a sentence before a download.
    """
    from ssd_cli.archives.cache import cache_root
    from ssd_cli.archives.remotes import offline
    from ssd_cli.archives.request_errors import TransferError
    from ssd_cli.archives.transport import RemoteFile, Transport

    address = os.environ.get("SSD_BENCH_REFERENCE_RESULTS") or ADDRESS
    if "://" not in address:
        path = Path(address) / place
        if not path.is_file():
            raise SsdBenchError(
                f"There is no {path}.", "Expected the layout of the reference results, in $SSD_BENCH_REFERENCE_RESULTS."
            )
        return path
    copy = cache_root() / "results" / hashlib.sha256(address.encode()).hexdigest()[:16] / place
    remedy = "Or download the files yourself and name their folder in $SSD_BENCH_REFERENCE_RESULTS."
    if not copy.is_file():
        if offline():
            raise SsdBenchError(f"{address}/{place} must be fetched, which $SSD_BENCH_OFFLINE forbids.", "", remedy)
        announce(f"Fetching {address}/{place}; later commands use the copy {copy}.")
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            Transport().download(RemoteFile(copy.name, f"{address}/{place}", most=MOST_BYTES), copy)
        except TransferError as error:
            raise SsdBenchError(error.what, error.expected, f"Check the network and try again. {remedy}") from error
    return copy


def _official(name: str) -> str:
    from aeon.benchmarking.results_loaders import NAME_ALIASES, estimator_alias

    try:
        return str(estimator_alias(name.removeprefix(PREFIX)))
    except ValueError:
        known = list(NAME_ALIASES)
        suggestion = did_you_mean(name.removeprefix(PREFIX), known)
        raise MisuseError(f"aeon knows no reference results '{name}'.{suggestion}", f"Known: {', '.join(known)}.") from None


def _method(path: Path) -> TableMethod:
    """The one method of a file of reference results."""
    expected = "Expected 'Resamples:,0,1,…' and a line for every dataset."
    remedy = "Delete it and try again."
    try:
        methods = read_table(path).methods
    except SsdBenchError as error:
        raise SsdBenchError(f"{path} is no table of accuracies. {error.what}", expected, remedy) from error
    if len(methods) != 1 or methods[0].axis != "resample":
        raise SsdBenchError(f"{path} is no table of accuracies of one method by resample.", expected, remedy)
    return methods[0]
