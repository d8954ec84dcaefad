"""A dataset with the values, labels, lengths and missing values of its archive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ssd_cli.errors import SsdBenchError, shortened

Series = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]
Groups = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test part of a dataset.

    `X` has a float64 array (n_channels, n_timepoints) per case; lengths may differ, NaN is a missing value. `y` (n_cases,) holds
    the original labels in lower case, as aeon's parser returns them, so that resamples equal aeon's. `groups` (n_cases,) holds the
    subject of every case. `channels` holds the names of the channels; it is empty if the file has no names.
    """

    X: list[Series] = field(repr=False)
    y: Labels
    groups: Groups | None = field(default=None, repr=False)
    channels: tuple[str, ...] = ()

    @property
    def n_cases(self) -> int:
        """Number of series."""
        return len(self.X)

    @property
    def n_channels(self) -> int:
        """Number of channels of each series."""
        return self.X[0].shape[0]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of steps of every series, shape (n_cases,)."""
        return np.array([series.shape[1] for series in self.X], dtype=np.int64)

    @property
    def missing(self) -> bool:
        """Whether any value is missing."""
        return any(bool(np.isnan(series).any()) for series in self.X)

    def in_order_of(self, channels: tuple[str, ...], here: str, there: str) -> Part:
        """Return the part with its channels in this order, or unchanged if either has no names; errors name `here` and `there`."""
        if not channels or not self.channels or self.channels == channels:
            return self
        only_here = [name for name in self.channels if name not in channels]
        only_there = [name for name in channels if name not in self.channels]
        if only_here or only_there:
            only = f"{_listed(only_here)} only the first, {_listed(only_there)} only the second"
            raise SsdBenchError(
                f"{here} and {there} have different channels: {only}.",
                "Expected the same names, in any order.",
                "Rename the columns, or remove those that are not channels.",
            )
        order = [self.channels.index(name) for name in channels]
        return replace(self, X=[series[order] for series in self.X], channels=channels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Both parts of the archive's split.

    `classes` are all labels, sorted by ``np.unique``; a class index is a position in `classes`. `digest` is the SHA-256 of
    arrays, labels and groups, before any preparation.
    """

    name: str
    train: Part
    test: Part
    classes: tuple[str, ...]
    digest: str


def _listed(names: list[str]) -> str:
    return shortened([f"'{ascii(name[:40])[1:-1]}'" for name in names]) or "none"


def make_dataset(name: str, train: Part, test: Part) -> Dataset:
    """Join two parts and compute classes and digest."""
    classes = tuple(str(label) for label in np.unique(np.concatenate([train.y, test.y])))
    return Dataset(name, train, test, classes, digest_of_parts(train, test))


def digest_of_parts(*parts: Part) -> str:
    """Return the SHA-256 (hex) of the values, shapes, labels and groups of the parts, independent of file format and name."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(f"{part.n_cases} cases;".encode())
        for series in part.X:
            sha.update(f"{series.shape};".encode())
            sha.update(np.ascontiguousarray(series, dtype="<f8").data)
        sha.update("\n".join(part.y.tolist()).encode())
        sha.update(b";" if part.groups is None else np.ascontiguousarray(part.groups, dtype="<i8").tobytes())
    return sha.hexdigest()
