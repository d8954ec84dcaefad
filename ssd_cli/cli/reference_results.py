"""Copies of the reference results of timeseriesclassification.com, fetched once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ssd_cli.cli.console import warn
from ssd_cli.errors import SsdBenchError

ADDRESS = "https://timeseriesclassification.com/results/ReferenceResults"


def fetch(place: str) -> Path:
    """A copy of one file, from the cache where it is there.

    ``$SSD_BENCH_REFERENCE_RESULTS`` replaces the address: another one, or a folder with the same layout, which is read as it is.

    Raises
    ------
    SsdBenchError
        The file is not there, or could not be fetched.
    """
    from ssd_cli.archives.cache import cache_root
    from ssd_cli.archives.http_errors import TransferError
    from ssd_cli.archives.origins import offline
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
    own = "Or get the files yourself and name their folder in $SSD_BENCH_REFERENCE_RESULTS."
    if not copy.is_file():
        if offline():
            raise SsdBenchError(f"{address}/{place} must be fetched, which $SSD_BENCH_OFFLINE forbids.", "", own)
        warn(f"Fetching {address}/{place}; the next time the copy {copy} is used.")
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            Transport().download(RemoteFile(copy.name, f"{address}/{place}"), copy)
        except TransferError as error:
            raise SsdBenchError(error.what, error.expected, f"Check the network and try again. {own}") from error
    return copy
