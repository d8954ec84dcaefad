"""Scaling rules: what is subtracted from a channel, and what divides it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.rules import scaling_rules

_NO_SPREAD = 1e-12
"""A standard deviation below this share of the largest value is treated as the rounding error of a constant channel."""
_SMALLEST_SPREAD = float(np.sqrt(np.finfo(np.float64).tiny))
"""The squares of smaller deviations underflow."""


class ScalingError(Exception):
    """The values of a channel cannot be scaled; `case` is a position in the training series, or None for the case at hand."""

    def __init__(self, what: str, channel: int, case: int | None = None) -> None:
        super().__init__(what)
        self.what, self.channel, self.case = what, channel, case


@dataclass(frozen=True, eq=False)
class ScalingRule(ABC):
    """A rule, fitted to the training series."""

    exported: ClassVar[bool] = False
    """Whether `graph` computes what `apply` computes; ``ssd-bench export`` refuses other rules."""

    @classmethod
    def fit(cls, training: Iterable[Series]) -> Self:
        """Learn from the training series (n_channels, n_timepoints_i), cut to the common length and without missing values.

        Raises ScalingError if the values of a channel are too large or too small.
        """
        return cls()

    @abstractmethod
    def apply(self, series: Series) -> Series:
        """Scale one series (n_channels, n_timepoints) without missing values; see `fit` for the error."""

    @classmethod  # noqa: B027 - most rules scale every series
    def check(cls, series: Series) -> None:
        """Raise ScalingError for a series (n_channels, n_timepoints) that `graph`, which cannot raise, would scale wrongly."""

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        """Scale a tensor (batch, n_channels, n_timepoints) of float64 as `apply` does, for an exported model.

        `valid`, broadcast to `x`, is 1 for the steps of a series and 0 after its end; `torch` is the module.
        """
        raise NotImplementedError


@scaling_rules.register("series")
class SeriesScaling(ScalingRule):
    """Scale every channel of every series to mean 0 and (population) standard deviation 1; a deviation of 0 counts as 1."""

    exported = True

    def apply(self, series: Series) -> Series:
        mean, spread = _mean_and_spread(series)
        return (series - mean) / spread

    @classmethod
    def check(cls, series: Series) -> None:
        _mean_and_spread(series)

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        count = valid.sum(-1, keepdim=True)
        mean = (x * valid).sum(-1, keepdim=True) / count
        spread = ((x - mean).square() * valid).sum(-1, keepdim=True).div(count).sqrt()
        largest = (x * valid).abs().amax(-1, keepdim=True)
        return (x - mean) / torch.where(spread <= _NO_SPREAD * largest, torch.ones_like(spread), spread)


@scaling_rules.register("train")
@dataclass(frozen=True, eq=False)
class TrainingScaling(ScalingRule):
    """Scale every channel by the mean and (population) standard deviation of the training part, both (n_channels, 1)."""

    mean: Series
    spread: Series

    exported = True

    @classmethod
    def fit(cls, training: Iterable[Series]) -> Self:
        series = list(training)
        # One channel at a time: the joined series of all channels would be a second copy of the training part.
        pairs = []
        for channel in range(len(series[0])):
            try:
                pairs.append(_mean_and_spread(np.concatenate([one[channel] for one in series])[None]))
            except ScalingError as error:
                largest = int(np.argmax([np.abs(one[channel]).max() for one in series]))
                raise ScalingError(error.what, channel, largest) from error
        return cls(np.concatenate([mean for mean, _ in pairs]), np.concatenate([spread for _, spread in pairs]))

    def apply(self, series: Series) -> Series:
        return (series - self.mean) / self.spread

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        return (x - torch.from_numpy(self.mean)) / torch.from_numpy(self.spread)


@scaling_rules.register("none")
class NoScaling(ScalingRule):
    """Keep the values of the archive."""

    exported = True

    @classmethod
    def fit(cls, training: Iterable[Series]) -> Self:
        largest = np.max([np.abs(one).max(axis=1) for one in training], axis=0)
        for channel in np.flatnonzero((largest > 0) & (largest < np.finfo(np.float32).tiny)):
            raise ScalingError(f"values up to {largest[channel]:g} are too small for 32-bit numbers", int(channel))
        return cls()

    def apply(self, series: Series) -> Series:
        return series

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        return x


def _mean_and_spread(values: Series) -> tuple[Series, Series]:
    """Mean and standard deviation over time, both (n_channels, 1); a standard deviation of 0 is replaced by 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
    largest = np.abs(values).max(axis=1, keepdims=True)
    for channel in np.flatnonzero(~np.isfinite(spread)):
        raise ScalingError(f"values up to {largest[channel, 0]:g} are too large for a standard deviation", int(channel))
    for channel in np.flatnonzero(spread < _SMALLEST_SPREAD):
        if np.ptp(values[channel]):  # constants have no spread
            raise ScalingError(
                f"differences between values up to {largest[channel, 0]:g} are too small for a standard deviation", int(channel)
            )
    return mean, np.where(spread <= _NO_SPREAD * largest, 1.0, spread)
