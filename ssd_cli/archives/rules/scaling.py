"""Scaling rules: which mean is subtracted from a channel, and which standard deviation divides it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.rules import scaling_rules

_NO_SPREAD = 1e-12
"""A standard deviation below this share of the largest value is the rounding error of a constant, whose true deviation is 0."""


@dataclass(frozen=True, eq=False)
class ScalingRule(ABC):
    """A rule, fitted to the training series."""

    exported: ClassVar[bool] = False
    """Whether `graph` computes what `apply` computes. A rule that does not say so is refused by ``ssd-bench export``."""

    @classmethod
    def fit(cls, training: Iterable[Series]) -> Self:
        """Learn from the training series (n_channels, n_timepoints_i), cut to the common length and without missing values."""
        return cls()

    @abstractmethod
    def apply(self, series: Series) -> Series:
        """Scale one series (n_channels, n_timepoints) without missing values."""

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        """Scale tensors as `apply` scales arrays, for an exported model.

        Parameters
        ----------
        torch : module
            Passed because this package does not import it.
        x : Tensor, shape (batch, n_channels, n_timepoints), float64
        valid : Tensor, broadcast to the shape of `x`
            1 for the steps of a series, 0 after its end.
        """
        raise NotImplementedError


@scaling_rules.register("series")
class SeriesScaling(ScalingRule):
    """Every channel of every series to mean 0 and (population) standard deviation 1; a standard deviation of 0 counts as 1."""

    exported = True

    def apply(self, series: Series) -> Series:
        """Scale one series."""
        mean, spread = _mean_and_spread(series)
        return (series - mean) / spread

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        """Scale tensors."""
        count = valid.sum(-1, keepdim=True)
        mean = (x * valid).sum(-1, keepdim=True) / count
        spread = ((x - mean).square() * valid).sum(-1, keepdim=True).div(count).sqrt()
        largest = (x * valid).abs().amax(-1, keepdim=True)
        return (x - mean) / torch.where(spread <= _NO_SPREAD * largest, torch.ones_like(spread), spread)


@scaling_rules.register("train")
@dataclass(frozen=True, eq=False)
class TrainingScaling(ScalingRule):
    """Every channel with the mean and (population) standard deviation of the training part.

    Parameters
    ----------
    mean, spread : ndarray of float64, shape (n_channels, 1)
        A standard deviation of 0 counts as 1.
    """

    mean: Series
    spread: Series

    exported = True

    @classmethod
    def fit(cls, training: Iterable[Series]) -> Self:
        """Learn mean and standard deviation of every channel over all training series."""
        series = list(training)
        # One channel at a time: the joined series of all channels would be a second copy of the training part.
        joined = (np.concatenate([one[channel] for one in series]) for channel in range(len(series[0])))
        pairs = [_mean_and_spread(values[None]) for values in joined]
        return cls(np.concatenate([mean for mean, _ in pairs]), np.concatenate([spread for _, spread in pairs]))

    def apply(self, series: Series) -> Series:
        """Scale one series."""
        return (series - self.mean) / self.spread

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        """Scale tensors."""
        return (x - torch.from_numpy(self.mean)) / torch.from_numpy(self.spread)


@scaling_rules.register("none")
class NoScaling(ScalingRule):
    """The values as the archive has them."""

    exported = True

    def apply(self, series: Series) -> Series:
        """Return the series."""
        return series

    def graph(self, torch: Any, x: Any, valid: Any) -> Any:
        """Return the tensor."""
        return x


def _mean_and_spread(values: Series) -> tuple[Series, Series]:
    """Mean and standard deviation over time, both (n_channels, 1); a standard deviation of 0 is replaced by 1."""
    mean, spread = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
    return mean, np.where(spread <= _NO_SPREAD * np.abs(values).max(axis=1, keepdims=True), 1.0, spread)
