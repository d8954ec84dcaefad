"""Load a dataset by name: find or download it, read it or its cache entry, and compare it with its published size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.cache import entry_path, read_digest, read_entry, write_entry
from ssd_cli.archives.dataset import Dataset
from ssd_cli.archives.fetch import fetch_one
from ssd_cli.archives.formats import extensions
from ssd_cli.archives.locate import DatasetFiles, aeon_home, check_name, locate, misplaced, roots
from ssd_cli.archives.read import read_source
from ssd_cli.archives.remotes import Zenodo, choose_remote, offline
from ssd_cli.archives.request_errors import TransferError
from ssd_cli.archives.verify import check_size
from ssd_cli.errors import SsdBenchError, shortened


def load(name: str, data_dirs: Sequence[Path] = (), download: bool = True) -> Dataset:
    """Load a dataset, downloading it if it is absent and `download` is true.

    The folders are searched in this order: `data_dirs`, ``$SSD_BENCH_DATA``, aeon's bundled problems, aeon's downloads. An absent
    dataset, a malformed file, or a size other than the published one raises an SsdBenchError.
    """
    source = _find_or_download(name, data_dirs, download)
    entry = entry_path(name, source)
    dataset = read_entry(entry, name)
    if dataset is None:  # an entry passed the check when it was written
        dataset = read_source(name, source)
        check_size(dataset, source.folder)
        write_entry(entry, dataset)
    return dataset


def digest_of(name: str, data_dirs: Sequence[Path] = (), download: bool = True) -> str:
    """Return the digest of a dataset from the cache, or from the loaded dataset if the cache lacks it."""
    known = read_digest(entry_path(name, _find_or_download(name, data_dirs, download)))
    return known or load(name, data_dirs, download).digest


def _find_or_download(name: str, data_dirs: Sequence[Path], download: bool) -> DatasetFiles:
    source = locate(name, data_dirs)
    if source is None:
        if not download:
            raise absent_error([name], roots(data_dirs))
        _download(name, roots(data_dirs))
        source = locate(name, data_dirs)
    if source is None:
        raise absent_error([name], roots(data_dirs), "and the download holds no files of it")
    return source


def _download(name: str, searched: Sequence[Path] = ()) -> None:
    """Download a dataset into aeon's data folder; an error names the folders `searched` before."""
    check_name(name)
    if offline():
        raise absent_error([name], searched, "and SSD_BENCH_OFFLINE forbids the network")
    try:
        fetch_one(name, aeon_home(), choose_remote())
    except TransferError as error:
        raise absent_error([name], searched, f"and it could not be downloaded ({error.what})") from error
    except SsdBenchError as error:
        if catalog.record_of(name) is None:
            raise absent_error([name], searched, "and there is no download for it") from error
        raise


def require(names: Iterable[str], data_dirs: Sequence[Path] = (), download: bool = True) -> None:
    """Raise one SsdBenchError for all datasets that are not on this machine and cannot be downloaded."""
    lacking = [name for name in names if locate(name, data_dirs) is None]
    if lacking and not download:
        raise absent_error(lacking, roots(data_dirs), "and downloading is switched off")
    if lacking and offline():
        raise absent_error(lacking, roots(data_dirs), "and SSD_BENCH_OFFLINE forbids the network")
    without = [name for name in lacking if catalog.record_of(name) is None]
    if without and isinstance(choose_remote(), Zenodo):  # a mirror may have them
        raise absent_error(without, roots(data_dirs), f"and there is no download for {'it' if len(without) == 1 else 'them'}")


def absent_error(names: Sequence[str], searched: Sequence[Path], why: str = "") -> SsdBenchError:
    """Return the error for datasets that the folders `searched` lack; `why` says why they are not downloaded."""
    if len(names) == 1 and (error := misplaced(names[0], searched)) is not None:
        return error
    if len(names) == 1:
        what, folder = f"The dataset '{names[0]}' is", names[0]
    else:
        what, folder = f"{len(names)} datasets ({shortened(names)}) are", "NAME"
    places = "".join(f"\n  {root}" for root in searched) or " no folder"
    ways = [f"If DIR/{folder}/ has the files, use --data-dir DIR (or SSD_BENCH_DATA=DIR).", *_downloads(names)]
    if why:
        ways.append("'ssd-bench run --only-present' leaves out absent datasets.")
    return SsdBenchError(
        f"{what} not on this machine{f', {why}' if why else ''}.",
        f"Expected {folder}/{folder}_TRAIN.* and {folder}/{folder}_TEST.* ({', '.join(extensions())}) in one of:{places}",
        "\n".join(ways),
    )


def _downloads(names: Sequence[str]) -> list[str]:
    """Return a sentence for each way to get datasets of an archive."""
    recorded = [name for name in names if catalog.record_of(name) is not None]
    archives = {catalog.archive_of(name) for name in names}
    ways = []
    if recorded:
        ways.append(f"Download: ssd-bench data download --dataset {recorded[0]}{' --dataset ...' if len(recorded) > 1 else ''}")
    if archives - {None, "har"}:
        ways.append("Download the files of an archive by hand: https://www.timeseriesclassification.com")
    if any(catalog.archive_of(name) == "har" and name not in recorded for name in names):
        ways.append("docs/data.md explains how to get UCI HAR and the folds of MONSTER.")
    return ways
