"""The error for absent datasets: where they were searched, and how to get them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.formats import extensions
from ssd_cli.archives.locate import misplaced
from ssd_cli.errors import SsdBenchError, shortened


def absent(names: Sequence[str], looked_in: Sequence[Path], why: str = "") -> SsdBenchError:
    """Return the error for datasets that are not on this machine.

    `looked_in` are the searched folders; `why` says why they are not downloaded, and is empty if downloading was not asked for.
    """
    if len(names) == 1 and (error := misplaced(names[0], looked_in)) is not None:
        return error
    if len(names) == 1:
        what, folder = f"The dataset '{names[0]}' is", names[0]
    else:
        what, folder = f"{len(names)} datasets ({shortened(names)}) are", "NAME"
    places = "".join(f"\n  {root}" for root in looked_in) or " no folder"
    ways = [f"If DIR/{folder}/ has the files, use --data-dir DIR (or SSD_BENCH_DATA=DIR).", *_downloads(names)]
    if why:
        ways.append("'ssd-bench run --only-present' leaves out absent datasets.")
    return SsdBenchError(
        f"{what} not on this machine{f', {why}' if why else ''}.",
        f"Searched {folder}/{folder}_TRAIN.* and {folder}/{folder}_TEST.* ({', '.join(extensions())}) in:{places}",
        "\n".join(ways),
    )


def _downloads(names: Sequence[str]) -> list[str]:
    """Return a sentence for each way to get datasets of an archive."""
    recorded = [name for name in names if catalog.record_of(name) is not None]
    of = {catalog.archive_of(name) for name in names}
    ways = []
    if recorded:
        ways.append(f"Download: ssd-bench data download --dataset {recorded[0]}{' --dataset ...' if len(recorded) > 1 else ''}")
    if of - {None, "har"}:
        ways.append("Files of the archives by hand: https://www.timeseriesclassification.com")
    if any(catalog.archive_of(name) == "har" and name not in recorded for name in names):
        ways.append("How to get UCI HAR and the folds of MONSTER: docs/data.md.")
    return ways
