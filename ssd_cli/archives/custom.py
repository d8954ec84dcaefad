"""Datasets of the user: two files and, optionally, the subjects of their cases."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np

from ssd_cli.archives import catalog
from ssd_cli.archives.dataset import Dataset
from ssd_cli.archives.formats import extensions
from ssd_cli.archives.install import install
from ssd_cli.archives.locate import DatasetFiles, check_name
from ssd_cli.archives.read import read_source
from ssd_cli.archives.text import csv_rows, shown
from ssd_cli.archives.verify import check_size
from ssd_cli.errors import MisuseError, SsdBenchError

_GROUP_COLUMNS = ["part", "row", "subject", "label"]


def add(name: str, train: Path, test: Path, groups: Path | None, root: Path, force: bool = False) -> Path:
    """Check two files of one format, copy them into a data folder as a dataset, and return the dataset's folder.

    `groups` is a CSV with part ("train" or "test"), row (from 0), subject (a whole number) and label. Malformed files, a single
    class, an archive's name, or an installed dataset without `force` raise an SsdBenchError.
    """
    for path in (train, test, *([groups] if groups else [])):
        if not path.is_file():
            raise MisuseError(f"There is no file {path}.", "Expected the path of a file for --train, --test and --groups.")
    extension = train.suffix.lower()
    if extension != test.suffix.lower() or extension not in extensions():
        raise MisuseError(
            f"{train.name} and {test.name} are not two files of the same known format.",
            f"Expected two files with the same extension: {', '.join(extensions())}.",
        )
    check_name(name)
    dataset = read_source(name, DatasetFiles(train, test))  # before the copy, so that an error names the user's file
    check_size(dataset, train.parent, f"Choose another NAME: {name} is the name of an archive's dataset.")
    if len(dataset.classes) < 2:
        raise SsdBenchError(
            f"In {train} and {test} all cases are of the class {dataset.classes[0]}.", "Expected cases of at least two classes."
        )

    def fill(folder: Path) -> str:
        shutil.copyfile(train, folder / f"{name}_TRAIN{extension}")
        shutil.copyfile(test, folder / f"{name}_TEST{extension}")
        if groups is not None:
            _split_groups(name, groups, folder)
        return f"{train.absolute()} and {test.absolute()}"

    if not install(name, root, fill, force, checksummed=lambda: False):
        raise SsdBenchError(
            f"There is a dataset {name} in {root} already.", "", "Choose another NAME, or use --force to replace that dataset."
        )
    return root / name


def parts_are_equal(dataset: Dataset) -> bool:
    """Return whether both parts hold the same series in the same order, as if one file was named twice."""
    pairs = zip(dataset.train.X, dataset.test.X, strict=False)
    return dataset.train.n_cases == dataset.test.n_cases and all(np.array_equal(*pair, equal_nan=True) for pair in pairs)


def swapped_axes(name: str, n_channels: int, n_timepoints: int) -> str:
    """Return a warning if series that are no archive's have more channels than steps, else an empty text."""
    if n_channels <= n_timepoints or catalog.archive_of(name) is not None:
        return ""
    return (
        f"{name or 'The array'} has {n_channels} channels and only {n_timepoints} steps. Expected the shape (n_cases, n_channels, "
        "n_timepoints): the last two axes may be swapped."
    )


def _split_groups(name: str, groups: Path, folder: Path) -> None:
    """Write the subjects of the two parts into a dataset's folder; reading them checks their rows."""
    header, *rows = csv_rows(groups) or [[]]
    if header != _GROUP_COLUMNS:
        found = shown(",".join(header))
        raise SsdBenchError(f"{groups}, line 1: the columns are {found}.", f"Expected {','.join(_GROUP_COLUMNS)}.")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(_GROUP_COLUMNS) or row[0] not in ("train", "test"):
            raise SsdBenchError(
                f"{groups}, line {line}: the row is '{shown(','.join(row))}'.",
                f"Expected {','.join(_GROUP_COLUMNS)}, with train or test as the part.",
            )
    for part in ("train", "test"):
        with (folder / f"{name}_subjects_{part}.csv").open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([_GROUP_COLUMNS[1:], *(row[1:] for row in rows if row[0] == part)])
