"""Imputation rules: which value replaces a missing one. A rule is fitted to the training part only."""

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

    `fill` (n_channels,) holds the channel means over the training part, which replace the values of channels without any value.
    """

    fill: Series

    exported: ClassVar[bool] = False
    """Whether the rule learns nothing beyond `fill`, so that an exported model can hold it; export refuses other rules."""
    n_added: ClassVar[int] = 0
    """Number of channels that `added` returns."""

    @classmethod
    def fit(cls, training: Sequence[Series]) -> ImputationRule:
        """Learn from the training series, each of shape (n_channels, n_timepoints_i)."""
        return cls(_channel_means(training))

    @abstractmethod
    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> Series | None:
        """Return values for the gaps of one channel (n_timepoints,) with some values; None stands for the training mean."""

    def filled(self, series: Series) -> Series:
        """Return one series (n_channels, n_timepoints) without missing values; the same array if none is missing."""
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

    def added(self, series: Series) -> Series:
        """Return channels (n_added, n_timepoints) that show which values of a series were missing; they are not scaled."""
        return series[:0]


@imputation_rules.register("linear")
class Linear(ImputationRule):
    """Linear interpolation within the channel; the nearest value replaces missing ones at either end."""

    exported = True

    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> Series:
        steps = np.arange(len(values))
        return np.interp(steps[gaps], steps[~gaps], values[~gaps])


@imputation_rules.register("mean")
class Mean(ImputationRule):
    """The mean of the channel over all training series."""

    exported = True

    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> None:
        return None


@imputation_rules.register("forward")
class Forward(ImputationRule):
    """The last value before the gap, or the first value of the channel if the gap is at its start."""

    exported = True

    def replace(self, values: Series, gaps: npt.NDArray[np.bool_]) -> Series:
        last = np.maximum.accumulate(np.where(gaps, -1, np.arange(len(values))))
        return values[np.where(last < 0, np.argmin(gaps), last)][gaps]


@imputation_rules.register("mask")
@dataclass(frozen=True, eq=False)
class Mask(Linear):
    """As ``linear``, with an added channel for every channel with missing training values: 1 where a value was present, else 0."""

    masked: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The channels with missing values in the training part."""

    exported = False

    @classmethod
    def fit(cls, training: Sequence[Series]) -> ImputationRule:
        missing = np.any([np.isnan(series).any(axis=1) for series in training], axis=0)
        means = _channel_means(training)
        return cls(means, np.flatnonzero(missing)) if missing.any() else Linear(means)

    @property
    def n_added(self) -> int:  # type: ignore[override]
        return len(self.masked)

    def added(self, series: Series) -> Series:
        return np.where(np.isnan(series[self.masked]), 0.0, 1.0)


def _channel_means(training: Sequence[Series]) -> Series:
    """Mean of the present values per channel over all training series, shape (n_channels,)."""
    present = sum((~np.isnan(series)).sum(axis=1) for series in training)
    total = sum(np.nansum(series, axis=1) for series in training)
    if not np.all(present):
        raise SsdBenchError(
            f"Channel {int(np.argmin(present)) + 1} has no value in any training series.",
            "Expected at least one value of every channel in the training part.",
        )
    return np.asarray(total / present, dtype=np.float64)
