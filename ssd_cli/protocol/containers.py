"""The training set, the only data that a method gets, and the sealed test set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingSet:
    """Equal-length training series, ready for a network."""

    X: Floats
    """(n_cases, n_channels, n_timepoints). NaN marks steps after the end of a shorter series; networks do not pool over them."""
    y: Ints
    """Class indices (n_cases,), 0 to n_classes - 1."""
    n_classes: int
    """Number of classes of the dataset; a subset may lack some."""
    dataset: str
    """Name of the dataset, from which sub-seeds are derived."""
    resample: int = 0
    """0 is the archive's own split."""
    groups: Ints | None = field(default=None, repr=False)
    """Subject of every case (n_cases,), if known."""

    def __post_init__(self) -> None:
        if self.X.ndim != 3 or self.X.dtype != np.float32 or self.y.dtype != np.int64 or len(self.X) != len(self.y):
            raise ValueError(f"X {self.X.shape} {self.X.dtype} and y {self.y.shape} {self.y.dtype} are not one training set")

    @property
    def n_cases(self) -> int:
        """Number of training series."""
        return self.X.shape[0]

    @property
    def n_channels(self) -> int:
        """Number of channels of each series."""
        return self.X.shape[1]

    @property
    def n_timepoints(self) -> int:
        """Number of steps of each series."""
        return self.X.shape[2]

    @cached_property
    def padded(self) -> bool:
        """Whether a series ends before the others."""
        return bool(np.isnan(self.X[:, 0, -1]).any())

    @cached_property
    def class_counts(self) -> tuple[int, ...]:
        """Training cases per class, shape (n_classes,)."""
        return tuple(int(count) for count in np.bincount(self.y, minlength=self.n_classes))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the arrays."""
        parts: list[npt.NDArray] = [self.X, self.y]
        if self.groups is not None:
            parts.append(self.groups)
        return digest_of_arrays(parts)

    def subset(self, index: npt.NDArray[np.intp]) -> TrainingSet:
        """Return the cases at `index`, in that order."""
        groups = None if self.groups is None else self.groups[index]
        return TrainingSet(self.X[index], self.y[index], self.n_classes, self.dataset, self.resample, groups)


class SealedTest:
    """Prepared test series (n_cases, n_channels, n_timepoints) and their class indices (n_cases,); no method gets them."""

    def __init__(self, X: Floats, y: Ints) -> None:
        self.__X = X
        self.__y = y

    @property
    def n_cases(self) -> int:
        """Number of test series."""
        return len(self.__X)

    def unseal(self, frozen: bool) -> tuple[Floats, Ints]:
        """Return the series and labels.

        `frozen` is true if the predictor is final: every network in evaluation mode, no parameter trainable. Otherwise a
        RuntimeError is raised, which indicates a bug.
        """
        if frozen is not True:
            raise RuntimeError("The test set stays sealed until the predictor is frozen.")
        return self.__X, self.__y

    def __repr__(self) -> str:
        return f"SealedTest(n_cases={self.n_cases})"


def digest_of_arrays(arrays: list[npt.NDArray]) -> str:
    """Return the SHA-256 (hex) over dtype, shape and bytes of each array, in order."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
