"""Imputation rules: which value stands where one is missing. A rule knows the training part only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.rules import imputation_rules
from ssd_cli.errors import SsdBenchError


@dataclass(frozen=True, eq=False)
class ImputationRule(ABC):
    """A rule, fitted to the training series.

    Parameters
    ----------
    fill : ndarray of float64, shape (n_channels,)
        Means of the channels over the training part; every value of a channel that a series lacks altogether.
    """

    fill: Series

    exported: ClassVar[bool] = False
    """Whether `fill` is all that the rule learns: an exported model keeps it and fills series by `filled`. A rule that does not say
    so is refused by ``ssd-bench export``."""

    @classmethod
    def fit(cls, training: Sequence[Series]) -> ImputationRule:
        """Learn from the training series, each of shape (n_channels, n_timepoints_i)."""
        return cls(channel_means(training))

    @abstractmethod
    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> Series | None:
        """Values for the gaps of one channel that has some values; None for the mean of the training part.

        Parameters
        ----------
        values : ndarray of float64, shape (n_timepoints,)
            NaN where a value is missing.
        gaps : ndarray of bool, shape (n_timepoints,)
            Where that is.

        Returns
        -------
        ndarray of float64, shape (number of gaps,)
        """

    def filled(self, series: Series) -> Series:
        """One series (n_channels, n_timepoints) without missing values; the same array where none is missing."""
        missing = np.isnan(series)
        if not missing.any():
            return series
        filled = np.where(missing, self.fill[:, None], series)
        for channel, gaps in enumerate(missing):
            if gaps.any() and not gaps.all():
                values = self.replace(series[channel], gaps)
                if values is not None:
                    filled[channel, gaps] = values
        return filled

    @property
    def n_added(self) -> int:
        """Number of channels that `added` puts behind those of a series."""
        return 0

    def added(self, series: Series) -> Series:
        """Channels (n_added, n_timepoints) that tell where values of a series were missing; they are not scaled."""
        return series[:0]


@imputation_rules.register("linear")
class Linear(ImputationRule):
    """Linear interpolation within the channel of the series; the nearest value before its first and after its last one."""

    exported = True

    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> Series:
        """Interpolate."""
        steps = np.arange(len(values))
        return np.interp(steps[gaps], steps[~gaps], values[~gaps])


@imputation_rules.register("mean")
class Mean(ImputationRule):
    """The mean of the channel over all training series."""

    exported = True

    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> None:
        """Leave the mean."""


@imputation_rules.register("forward")
class Forward(ImputationRule):
    """The last value before the gap; the first value where there is none."""

    exported = True

    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> Series:
        """Carry the last value on."""
        last = np.maximum.accumulate(np.where(gaps, -1, np.arange(len(values))))
        return values[np.where(last < 0, np.argmin(gaps), last)][gaps]


@imputation_rules.register("mask")
@dataclass(frozen=True, eq=False)
class Mask(Linear):
    """As ``linear``, with a further channel for every channel that misses values in training: 1 where a value was there, else 0.

    Parameters
    ----------
    fill : ndarray of float64, shape (n_channels,)
    masked : ndarray of int64
        The channels that miss values in the training part.
    """

    masked: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    exported = False

    @classmethod
    def fit(cls, training: Sequence[Series]) -> ImputationRule:
        """Learn which channels miss values; where none does, the rule is ``linear``."""
        missing = np.zeros(len(training[0]), dtype=bool)
        for series in training:
            missing |= np.isnan(series).any(axis=1)
        means = channel_means(training)
        return cls(means, np.flatnonzero(missing)) if missing.any() else Linear(means)

    @property
    def n_added(self) -> int:
        """Number of masked channels."""
        return len(self.masked)

    def added(self, series: Series) -> Series:
        """The masks."""
        return np.where(np.isnan(series[self.masked]), 0.0, 1.0)


def channel_means(training: Sequence[Series]) -> Series:
    """Mean of the values that are present, per channel over all training series, shape (n_channels,).

    Raises
    ------
    SsdBenchError
        A channel has no value.
    """
    present = sum((~np.isnan(series)).sum(axis=1) for series in training)
    total = sum(np.nansum(series, axis=1) for series in training)
    if not np.all(present):
        raise SsdBenchError(
            f"Channel {int(np.argmin(present)) + 1} has no value in any training series.",
            "Every channel needs at least one value in the training part.",
        )
    return np.asarray(total / present, dtype=np.float64)
