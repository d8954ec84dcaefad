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
from ssd_cli.archives.transport import TransferError
from ssd_cli.archives.verify import check_size
from ssd_cli.errors import SsdBenchError, shortened


def load(name: str, data_dirs: Sequence[Path] = (), download: bool = True) -> Dataset:
    """Load a dataset, downloading it if it is absent and `download` is true.

    It is searched in `data_dirs`, ``$SSD_BENCH_DATA``, aeon's bundled problems and aeon's downloads, in this order. An absent
    dataset, a malformed file, or a size other than the published one raises an SsdBenchError.
    """
    source = _source(name, data_dirs, download)
    entry = entry_path(name, source)
    dataset = read_entry(entry, name)
    if dataset is None:  # an entry passed the check when it was written
        dataset = read_source(name, source)
        check_size(dataset, source.folder)
        write_entry(entry, dataset)
    return dataset


def digest_of(name: str, data_dirs: Sequence[Path] = (), download: bool = True) -> str:
    """Return the digest of a dataset: cheap if the cache has it, else as costly as `load`."""
    known = read_digest(entry_path(name, _source(name, data_dirs, download)))
    return known or load(name, data_dirs, download).digest


def _source(name: str, data_dirs: Sequence[Path], download: bool) -> DatasetFiles:
    source = locate(name, data_dirs)
    if source is None:
        if not download:
            raise absent([name], roots(data_dirs))
        _fetch(name, roots(data_dirs))
        source = locate(name, data_dirs)
    if source is None:
        raise absent([name], roots(data_dirs), "and its download holds no such files")
    return source


def _fetch(name: str, looked_in: Sequence[Path] = ()) -> None:
    """Download a dataset into aeon's data folder; the error names the folders that were searched before, `looked_in`."""
    check_name(name)
    if offline():
        raise absent([name], looked_in, "and SSD_BENCH_OFFLINE forbids the network")
    try:
        fetch_one(name, aeon_home(), choose_remote())
    except TransferError as error:
        raise absent([name], looked_in, f"and it could not be downloaded ({error.what})") from error
    except SsdBenchError as error:
        if catalog.record_of(name) is None:
            raise absent([name], looked_in, "and there is no download for it") from error
        raise


def require(names: Iterable[str], data_dirs: Sequence[Path] = (), download: bool = True) -> None:
    """Raise one SsdBenchError for all datasets that are not on this machine and cannot be downloaded."""
    lacking = [name for name in names if locate(name, data_dirs) is None]
    if lacking and not download:
        raise absent(lacking, roots(data_dirs), "and downloading is switched off")
    if lacking and offline():
        raise absent(lacking, roots(data_dirs), "and SSD_BENCH_OFFLINE forbids the network")
    without = [name for name in lacking if catalog.record_of(name) is None]
    if without and isinstance(choose_remote(), Zenodo):  # a mirror may have them
        raise absent(without, roots(data_dirs), f"and there is no download for {'it' if len(without) == 1 else 'them'}")


def absent(names: Sequence[str], looked_in: Sequence[Path], why: str = "") -> SsdBenchError:
    """Return the error for datasets that are not in the folders `looked_in`; `why` is empty if no download was asked for."""
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
