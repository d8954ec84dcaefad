"""From raw series to one float32 array: missing values, equal length, scale, by recorded rules that know the training part only.

The order is fixed: impute, shorten or resize, scale, pad. Padding comes last, so that padded steps never enter a mean or a standard
deviation. Zeros are then the series' own mean under ``scale="series"`` and the training mean under ``"train"``.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.catalog import archive_of
from ssd_cli.archives.dataset import Series
from ssd_cli.archives.impute import Imputer
from ssd_cli.errors import SsdBenchError

_NO_SPREAD = 1e-12
"""A standard deviation below this share of the largest value is rounding noise of a constant, whose true one is 0."""

_NOISE = 0.001
"""Largest value of the noise after a series' end: that of the UCR archive's adjusted datasets (Dau et al. 2019), as in aeon."""


@dataclass(frozen=True)
class Preparation:
    """The rules; ``dataclasses.asdict`` of it is what an identity records.

    Parameters
    ----------
    length : {"pad", "zeros", "edge", "noise", "truncate", "resize"}
        What to do where the training series differ in length.
        "pad": to the longest training series, at the end, with a mark that lets the network pool over the steps of the series
        only (NaN in the prepared array; see `ssd_cli.backbones.masked`).
        "zeros", "edge", "noise": to the longest training series, at the end, with zeros after scaling, with the last value, or with
        the mean plus uniform noise from 0 to 0.001; the network cannot tell these steps from the others.
        "truncate": to the shortest training series, dropping the end. "resize": to the longest training series, by linear
        interpolation between the first and the last step.
        The length is the training part's: a longer test series loses its end unless resized. A test series that is shorter than
        training series of one length, or than the shortest under "truncate", is filled up with zeros. Series that already have the
        length are never touched.
    impute : {"linear", "mean", "forward", "mask"}
        "linear": linear interpolation within the channel of the series, the nearest value before its first and after its last
        one. "mean": the mean of the channel over all training series. "forward": the last value before, the first value where
        there is none. A channel that is missing in a whole series gets the mean of the channel over all training series.
        "mask": as "linear", and every channel that misses values in the training part is followed, after all channels, by one that
        is 1 where its value was there and 0 where it was missing; it is not scaled.
    scale : {"series", "train", "none"}
        "series": every channel of every series to mean 0 and (population) standard deviation 1. "train": every channel with the
        mean and standard deviation of the training part. A standard deviation of 0 counts as 1.
    """

    length: Literal["pad", "zeros", "edge", "noise", "truncate", "resize"] = "pad"
    impute: Literal["linear", "mean", "forward", "mask"] = "linear"
    scale: Literal["series", "train", "none"] = "series"

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in fields(self):
            allowed = get_args(hints[item.name])
            if getattr(self, item.name) not in allowed:
                raise ValueError(f"{item.name} is one of {', '.join(allowed)}, not {getattr(self, item.name)!r}")

    def fit(self, training: Sequence[Series]) -> FittedPreparation:
        """Learn length, fill values and scale from the training series, each of shape (n_channels, n_timepoints)."""
        lengths = {series.shape[1] for series in training}
        n_timepoints = min(lengths) if self.length == "truncate" else max(lengths)
        imputer = Imputer.fit(self.impute, training)
        fitted = FittedPreparation(self, n_timepoints, imputer, len(lengths) > 1)
        if self.scale != "train":
            return fitted
        mean, spread = _scale_of([fitted.unscaled(series) for series in training])
        return replace(fitted, mean=mean, spread=spread)


@dataclass(frozen=True, eq=False)
class FittedPreparation:
    """Rules with what they learned from the training part.

    Parameters
    ----------
    preparation : Preparation
    n_timepoints : int
        Length of every prepared series.
    imputer : Imputer
    unequal : bool
        Whether the training series differ in length.
    mean, spread : ndarray of float64, shape (n_channels, 1), optional
        Under ``scale="train"``.
    """

    preparation: Preparation
    n_timepoints: int
    imputer: Imputer
    unequal: bool = False
    mean: Series | None = None
    spread: Series | None = None

    def transform(self, X: Sequence[Series]) -> npt.NDArray[np.float32]:
        """Prepare series of shapes (n_channels, n_timepoints_i): float32 of shape (n_cases, n_channels, n_timepoints).

        The number of channels grows under ``impute="mask"``; NaN marks the steps after a series' end under ``length="pad"``.

        Raises
        ------
        SsdBenchError
            A value does not fit into 32 bits.
        """
        masks = self.imputer.masked
        prepared = np.zeros((len(X), self.imputer.n_channels + len(masks), self.n_timepoints), dtype=np.float32)
        ends = np.empty(len(X), dtype=np.int64)
        with np.errstate(over="ignore", invalid="ignore"):
            for case, series in enumerate(X):
                scaled = self._scaled(self.unscaled(series))
                ends[case] = scaled.shape[1]
                if len(masks):
                    there = self._shortened(np.where(np.isnan(series[masks]), 0.0, 1.0))
                    scaled = np.concatenate([scaled, there])
                prepared[case, :, : ends[case]] = scaled
                self._fill(prepared[case], ends[case])
        if not np.isfinite(prepared).all():
            if any(np.isinf(series).any() for series in X):
                raise SsdBenchError("A series holds an infinite value.", "Expected numbers, or NaN where one is missing.")
            raise SsdBenchError(
                "The prepared series hold values beyond the range of 32-bit numbers.",
                f"The preparation was scale={self.preparation.scale}.",
                "Scale the series (series or train).",
            )
        if self.unequal and self.preparation.length == "pad":
            prepared.swapaxes(1, 2)[np.arange(self.n_timepoints) >= ends[:, None]] = np.nan
        return prepared

    def unscaled(self, series: Series) -> Series:
        """One series without missing values, of the common length or, where it will be padded, shorter."""
        return self._shortened(self.imputer.filled(series))

    def _shortened(self, series: Series) -> Series:
        n_timepoints = series.shape[1]
        if n_timepoints == self.n_timepoints:
            return series
        if self.preparation.length == "resize":
            old, new = np.linspace(0, 1, n_timepoints), np.linspace(0, 1, self.n_timepoints)
            return np.stack([np.interp(new, old, channel) for channel in series])
        return series[:, : self.n_timepoints]

    def _fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        """Put values after the end of one prepared series (n_channels, n_timepoints), in place."""
        n_left = self.n_timepoints - end
        if not n_left or not self.unequal:
            return
        n_channels = self.imputer.n_channels  # masks stay 0
        if self.preparation.length == "edge":
            prepared[:n_channels, end:] = prepared[:n_channels, end - 1 : end]
        elif self.preparation.length == "noise":
            # From the series itself: the same noise whichever other cases there are.
            generator = np.random.RandomState(zlib.crc32(prepared[:n_channels, :end].tobytes()))
            mean = prepared[:n_channels, :end].mean(axis=1, keepdims=True)
            prepared[:n_channels, end:] = mean + generator.uniform(0, _NOISE, (n_channels, n_left))

    def _scaled(self, series: Series) -> Series:
        if self.preparation.scale == "none":
            return series
        if self.mean is not None and self.spread is not None:
            return (series - self.mean) / self.spread
        mean, spread = _mean_and_spread(series)
        return (series - mean) / spread


def default_preparation(name: str) -> Preparation:
    """The rules used where the user names none: ``scale="train"`` for the har archive, ``scale="series"`` for all others.

    In human activity recognition level and amplitude carry the class (gravity tells sitting from lying); most problems of the UCR
    archive are z-normalised series by series as they come. Seven of 2018 are not (BME, Chinatown, GunPointAgeSpan,
    GunPointMaleVersusFemale, GunPointOldVersusYoung, SmoothSubspace, UMD): the rule makes them like the others, as the published
    results of these networks had them (hfawaz/dl-4-tsc). The har problems of UEA keep UEA's rule, under which they are published.
    """
    return Preparation(scale="train") if archive_of(name) == "har" else Preparation()


def _scale_of(training: list[Series]) -> tuple[Series, Series]:
    """Mean and standard deviation of every channel over all training series, both (n_channels, 1)."""
    # Channel by channel: the joined series of all channels would be a second copy of the training part.
    joined = (np.concatenate([series[channel] for series in training]) for channel in range(len(training[0])))
    pairs = [_mean_and_spread(values[None]) for values in joined]
    return np.concatenate([mean for mean, _ in pairs]), np.concatenate([spread for _, spread in pairs])


def _mean_and_spread(values: Series) -> tuple[Series, Series]:
    """Mean and standard deviation over time, both (n_channels, 1); a standard deviation of 0 is replaced by 1."""
    mean, spread = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
    return mean, np.where(spread <= _NO_SPREAD * np.abs(values).max(axis=1, keepdims=True), 1.0, spread)
