"""Missing values, filled by a rule that knows the training part only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Series
from ssd_cli.errors import SsdBenchError


@dataclass(frozen=True, eq=False)
class Imputer:
    """A rule and what it learned.

    Parameters
    ----------
    rule : {"linear", "mean", "forward", "mask"}
        See `Preparation`.
    fill : ndarray of float64, shape (n_channels,)
        Means of the channels over the training part.
    masked : ndarray of int64
        Under "mask", the channels that miss values in the training part; else empty.
    """

    rule: str
    fill: Series
    masked: npt.NDArray[np.int64]

    @property
    def n_channels(self) -> int:
        """Number of channels of a series."""
        return len(self.fill)

    @staticmethod
    def fit(rule: str, training: Sequence[Series]) -> Imputer:
        """Learn from the training series, each of shape (n_channels, n_timepoints)."""
        masked = np.zeros(len(training[0]), dtype=bool)
        if rule == "mask":
            for series in training:
                masked |= np.isnan(series).any(axis=1)
        return Imputer(rule, _channel_means(training), np.flatnonzero(masked))

    def filled(self, series: Series) -> Series:
        """One series (n_channels, n_timepoints) without missing values; the same array where none is missing."""
        missing = np.isnan(series)
        if not missing.any():
            return series
        filled = np.where(missing, self.fill[:, None], series)
        if self.rule == "mean":
            return filled
        steps = np.arange(series.shape[1])
        for channel, gaps in enumerate(missing):
            if not gaps.any() or gaps.all():
                continue
            if self.rule == "forward":
                last = np.maximum.accumulate(np.where(gaps, -1, steps))
                filled[channel] = series[channel, np.where(last < 0, np.argmin(gaps), last)]
            else:
                filled[channel, gaps] = np.interp(steps[gaps], steps[~gaps], series[channel, ~gaps])
        return filled


def _channel_means(training: Sequence[Series]) -> Series:
    """Mean of the values that are present, per channel over all training series, shape (n_channels,)."""
    present = sum((~np.isnan(series)).sum(axis=1) for series in training)
    total = sum(np.nansum(series, axis=1) for series in training)
    if not np.all(present):
        raise SsdBenchError(
            f"Channel {int(np.argmin(present)) + 1} has no value in any training series.",
            "Every channel needs at least one value in the training part.",
        )
    return np.asarray(total / present, dtype=np.float64)
