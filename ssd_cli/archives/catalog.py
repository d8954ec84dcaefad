"""The catalogue of archives, their datasets and published sizes; listing it imports neither aeon nor numpy.

``catalog.csv`` holds the names of aeon 1.6's lists (``tsc_datasets``), the human activity problems that aeon can download, and
``UCIHAR`` (Anguita et al. 2013, nine channels, official split by subjects; another dataset than aeon's ``UCIActivity``), with the
number of every problem's Zenodo record (``tsc_zenodo``).

The sizes of univariate problems are from the UCR archive's DataSummary (Dau et al. 2019). Sizes of multivariate problems are from
Bagnall et al. 2018 if a second source agrees, else from two later sources that agree (the metadata of
timeseriesclassification.com, tables of later papers, the files). A value that could not be confirmed is empty. The types of
univariate problems are from the tsml repository's table. A digest is given if two independent sources of the files agree, or if
aeon ships the files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from ssd_cli.archives.locate import aeon_home, check_name, folders, misplaced, user_roots
from ssd_cli.errors import MisuseError, did_you_mean

ARCHIVES = {
    "ucr": "all 128 univariate problems of the UCR archive 2018",
    "ucr112": "the 112 of them with equal lengths, no missing values and more than one case per class",
    "uea": "the 30 multivariate problems of the UEA archive 2018",
    "har": "human activity recognition: eight sets from Zenodo, UCIHAR, and the nine HAR problems of UEA",
    "bundled": "seven problems that come with aeon and need no download",
    "redux": "the 30 problems added by the bake-off redux (Middlehurst et al. 2024)",
    "multiverse": "the 133 multivariate problems of the Multiverse archive 2026",
    "multiverse-core": "the 66 of them that its authors recommend for comparisons",
    "eeg": "28 EEG problems",
    "rehab-pile": "38 problems of human movement in rehabilitation",
}
"""Names and descriptions of the archives."""

ZENODO_ZIPS = {
    "ucr": (11198697, "UCR Archive 2018.zip"),
    "uea": (11206331, "TSML MV Archive 2018.zip"),
    "redux": (11206358, "2024 Bakeoff Redux Datasets.zip"),
    "eeg": (15500801, "EEG2026.zip"),
}
"""Record and file name of the archives that are also published as one zip (aeon's ``tsml_archives`` and ``tsml_zip_names``)."""


@dataclass(frozen=True)
class Size:
    """The published size of a dataset under the archive's split; None for values that could not be confirmed.

    `n_timepoints` and `shortest` are the lengths of the longest and the shortest series of both parts.
    """

    n_train: int | None = None
    n_test: int | None = None
    n_channels: int | None = None
    n_timepoints: int | None = None
    n_classes: int | None = None
    equal_length: bool | None = None
    missing: bool | None = None
    shortest: int | None = None


@dataclass(frozen=True)
class _CatalogRow:
    archives: tuple[str, ...]
    size: Size
    type: str
    digest: str
    record: int | None


def archives() -> dict[str, tuple[str, ...]]:
    """Return the names of the datasets of every archive, sorted."""
    return {archive: tuple(name for name, row in _rows().items() if archive in row.archives) for archive in ARCHIVES}


def names() -> list[str]:
    """Return all names of the catalogue, sorted."""
    return list(_rows())


def size(name: str) -> Size | None:
    """Return the published size of a dataset, or None if nothing is known."""
    row = _rows().get(name)
    if row is None or all(value is None for value in astuple(row.size)):
        return None
    return row.size


def archive_of(name: str) -> str | None:
    """Return the first archive of a dataset or of the dataset of a MONSTER fold ("ucr", "uea", "har", ...), or None."""
    row = _rows().get(monster_name(name) or name)
    return None if row is None else row.archives[0]


def monster_name(name: str) -> str | None:
    """Return the name of the dataset of a MONSTER fold (``MONSTER-WISDM-fold0``), or None for other names."""
    match = re.fullmatch(r"MONSTER-(.+)-fold\d+", name)
    return match[1] if match else None


def type_of(name: str) -> str:
    """Return the kind of data ("Image", "ECG", ...), or an empty text if it is not known."""
    row = _rows().get(name)
    return "" if row is None else row.type


def known_digest(name: str) -> str:
    """Return the digest of the dataset at the time of this release, or an empty text if no second source confirms it."""
    row = _rows().get(name)
    return "" if row is None else row.digest


def record_of(name: str) -> int | None:
    """Return the number of the dataset's Zenodo record, or None."""
    row = _rows().get(name)
    return None if row is None else row.record


def select(archives_wanted: Sequence[str] = (), patterns: Sequence[str] = (), data_dirs: Sequence[Path] = ()) -> list[str]:
    """Return the names of all datasets of the archives and all that match a pattern, sorted and unique.

    Patterns are names or globs (``Gun*``) of datasets of the catalogue and of data folders. An unknown archive or name, or a glob
    without a match, raises a `MisuseError`.
    """
    chosen: set[str] = set()
    for archive in archives_wanted:
        if archive not in ARCHIVES:
            raise MisuseError(
                f"Unknown archive '{archive}'.{did_you_mean(archive, list(ARCHIVES))}",
                f"Known archives: {', '.join(ARCHIVES)}.",
                "See: ssd-bench ls archives",
            )
        chosen.update(archives()[archive])
    known = sorted({*names(), *folders(data_dirs)}) if patterns else []
    for pattern in patterns:
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches and pattern in folders(data_dirs, whole=False):
            matches = [pattern]  # reading it raises an error that names the missing file
        if not matches:
            raise _no_match(pattern, known, data_dirs)
        chosen.update(matches)
    return sorted(chosen)


def _no_match(pattern: str, known: list[str], data_dirs: Sequence[Path]) -> MisuseError:
    if "," in pattern:
        options = " ".join(f"--dataset {name.strip()}" for name in pattern.split(",") if name.strip())
        return MisuseError(f"No dataset matches '{pattern}'.", "Expected one name or glob.", f"Name each separately: {options}")
    if (error := misplaced(pattern, user_roots(data_dirs))) is not None:
        return error
    is_glob = any(character in pattern for character in "*?[")
    what = f"No dataset matches '{pattern}'." if is_glob else f"Unknown dataset '{check_name(pattern)}'."
    return MisuseError(
        what + did_you_mean(pattern, known),
        "Expected a name or glob from the catalogue, or the name of a folder with NAME_TRAIN.* and NAME_TEST.* in "
        f"{' or '.join(map(str, [*user_roots(data_dirs), aeon_home()]))}.",
        "See: ssd-bench ls datasets",
    )


@cache
def _rows() -> dict[str, _CatalogRow]:
    with Path(__file__).with_name("catalog.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: _parsed(row) for row in csv.DictReader(file)}


def _parsed(row: dict[str, str]) -> _CatalogRow:
    def value(key: str) -> Any:
        text = row[key]
        return None if not text else text == "true" if text in ("true", "false") else int(text)

    size = Size(**{item.name: value(item.name) for item in fields(Size)})
    return _CatalogRow(tuple(row["archives"].split()), size, row["type"], row["digest"], value("record"))
