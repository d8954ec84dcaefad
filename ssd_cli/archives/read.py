"""Read the files of a dataset into arrays, which do not depend on the format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ssd_cli.archives import catalog
from ssd_cli.archives.dataset import Dataset, Groups, Part, make_dataset
from ssd_cli.archives.formats import format_of
from ssd_cli.archives.labels import Spellings, alike, plain
from ssd_cli.archives.locate import DatasetFiles
from ssd_cli.archives.text import csv_rows, malformed, shown, whole_number
from ssd_cli.errors import SsdBenchError

_SUBJECT_COLUMNS = ["row", "subject", "label"]


def read_source(name: str, source: DatasetFiles) -> Dataset:
    """Read both parts, with named channels in the order of the training part; SsdBenchError if malformed or not matching."""
    size = catalog.size(name)
    equal_length = None if size is None else size.equal_length
    spelled: Spellings = {}
    train = read_part(source.train, source.train_subjects, equal_length, spelled=spelled)
    test = read_part(source.test, source.test_subjects, equal_length, spelled=spelled)
    test = test.in_order_of(train.channels, str(source.test), str(source.train))
    if train.n_channels != test.n_channels:
        raise SsdBenchError(
            f"{source.train} has {train.n_channels} channels, {source.test} has {test.n_channels}.",
            "Both parts of a dataset must have the same channels.",
        )
    if (train.groups is None) != (test.groups is None):
        raise SsdBenchError(f"{source.train} and {source.test}: only one of them has subjects.", "Expected both or neither.")
    return make_dataset(name, train, test)


def read_part(
    path: Path,
    subjects: Path | None = None,
    equal_length: bool | None = None,
    missing_label: str | None = None,
    spelled: Spellings | None = None,
) -> Part:
    """Read one part in a known format, and its file of subjects (row from 0, subject, label), if any.

    Unless `equal_length`, missing values at the end of a series in a table (``.tsv``, ``.txt``, ``.arff``, wide ``.csv`` and
    ``.parquet``) are padding. `missing_label` is the label of cases without one; by default these are an error. The files of a
    dataset share `spelled`; see `ssd_cli.archives.labels.alike`.
    """
    part: Part = format_of(path.suffix).read(path, equal_length, missing_label)
    for case, series in enumerate(part.X):
        if np.isinf(series).any():
            raise SsdBenchError(f"{path}, case {case}: a value is infinite or too large for a 64-bit number.")
    part = replace(part, y=alike(part.y.tolist(), str(path), {} if spelled is None else spelled))
    if subjects is None:
        return part
    groups = _read_subjects(subjects, part.y)
    if part.groups is not None and not np.array_equal(part.groups, groups):
        raise SsdBenchError(
            f"{path} and {subjects} have different subjects.", "Expected the same subject of every case.", f"Remove {subjects}."
        )
    return replace(part, groups=groups)


def _read_subjects(path: Path, y: np.ndarray) -> Groups:
    """Read the subject of every case and check the label in the same row."""
    rows = csv_rows(path)
    if not rows or rows[0] != _SUBJECT_COLUMNS:
        raise malformed(
            path, 1, f"the columns are {shown(','.join(rows[0])) if rows else 'missing'}", "Expected row,subject,label."
        )
    groups = []
    for line, row in enumerate(rows[1:], start=2):
        case = line - 2
        if case >= len(y):
            raise malformed(path, line, f"more rows than the {len(y)} cases of the data")
        subject = whole_number(row[1]) if len(row) == 3 and row[0] == str(case) else None
        if subject is None:
            raise malformed(path, line, f"'{shown(','.join(row))}'", f"Expected {case},<whole number>,{y[case]}.")
        if plain(row[2]) != plain(y[case]):
            raise malformed(path, line, f"label {shown(row[2])}", f"The case has the label {y[case]} in the data.")
        groups.append(subject)
    if len(groups) != len(y):
        raise malformed(path, len(rows), f"the file ends after {len(groups)} rows", f"The data have {len(y)} cases.")
    return np.array(groups, dtype=np.int64)
