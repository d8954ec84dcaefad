"""Compare a dataset with what its archive publishes about it."""

from __future__ import annotations

from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.dataset import Dataset
from ssd_cli.errors import SsdBenchError


def check_size(dataset: Dataset, folder: Path, remedy: str = "") -> None:
    """Refuse a dataset that carries an archive's name without having its published size.

    A file that was cut at the end of a line is a valid file with fewer cases; only the table can tell. `remedy` is that of the
    error; by default the files are to be had again, or to get another name.
    """
    published = catalog.size(dataset.name)
    if published is None:
        return
    train, test = dataset.train, dataset.test
    lengths = {*train.lengths.tolist(), *test.lengths.tolist()}
    found = {
        "n_train": train.n_cases,
        "n_test": test.n_cases,
        "n_channels": train.n_channels,
        "n_timepoints": max(lengths),
        "n_classes": len(dataset.classes),
        "equal_length": len(lengths) == 1,
        "missing": train.missing or test.missing,
        "shortest": min(lengths),
    }
    for key, value in found.items():
        expected = getattr(published, key)
        if expected is not None and value != expected:
            raise SsdBenchError(
                f"{dataset.name} in {folder}: {key} is {str(value).lower()}.",
                f"The archive's {dataset.name} has {key} {str(expected).lower()}; the files are cut, changed or another dataset's.",
                remedy or f"Remove {folder} and get the files again, or give the folder and its files a name that no archive has.",
            )
