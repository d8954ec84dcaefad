"""Load a dataset by name: find it, read it or its cache entry, and compare it with its published size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ssd_cli.archives.absent import absent
from ssd_cli.archives.cache import entry_path, read_digest, read_entry, write_entry
from ssd_cli.archives.dataset import Dataset
from ssd_cli.archives.fetch import fetch
from ssd_cli.archives.locate import DatasetFiles, locate, roots
from ssd_cli.archives.read import read_source
from ssd_cli.archives.verify import check_size


def load(name: str, data_dirs: Sequence[Path] = (), download: bool = True) -> Dataset:
    """Load a dataset, downloading it if it is absent and `download` is true.

    It is searched in `data_dirs`, ``$SSD_BENCH_DATA``, aeon's bundled problems and aeon's downloads (``$AEON_DATA`` or
    ``~/aeon_data``), in this order, as ``NAME/NAME_TRAIN`` and ``NAME/NAME_TEST`` in one of the formats.

    Raises
    ------
    SsdBenchError
        The dataset is absent, a file is malformed, or the size is not the published one.
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
        fetch(name, roots(data_dirs))
        source = locate(name, data_dirs)
    if source is None:
        raise absent([name], roots(data_dirs), "and its download holds no such files")
    return source
