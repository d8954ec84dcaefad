"""Length rules: how series of different lengths get the length of the training series.

A series of that length is never changed. If all training series are equally long, a shorter test series is padded with zeros
after scaling, and a longer one is cut at its end, under every rule except ``resize``.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.rules import length_rules

_NOISE = 0.001
"""Largest value of the noise after a series' end, as in the UCR archive's adjusted datasets (Dau et al. 2019) and aeon."""


@dataclass(frozen=True)
class LengthRule:
    """A rule, fitted to the training series. By default it cuts longer series and leaves zeros after shorter ones.

    `unequal` says whether the lengths of the training series differ.
    """

    n_timepoints: int
    unequal: bool

    exported: ClassVar[bool] = False
    """Whether `graph` computes what `cut` and `fill` compute; ``ssd-bench export`` refuses other rules."""
    marks: ClassVar[bool] = False
    """Whether the steps after a series' end become NaN, over which networks do not pool (`ssd_cli.backbones.masked`)."""
    fills: ClassVar[bool] = False
    """Whether `fill` puts values after a series' end."""

    @classmethod
    def fit(cls, training: Sequence[Series]) -> LengthRule:
        """Learn the common length from training series of shapes (n_channels, n_timepoints_i)."""
        lengths = {series.shape[1] for series in training}
        return cls(cls.common(lengths), len(lengths) > 1)

    @staticmethod
    def common(lengths: set[int]) -> int:
        """Return the common length of training series of these lengths."""
        return max(lengths)

    def cut(self, series: Series) -> Series:
        """Bring one series (n_channels, n_timepoints_i) to the common length, or leave it shorter, before it is scaled."""
        return series[:, : self.n_timepoints]

    def fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        """Put values after the end of one scaled series (n_channels, n_timepoints), in place."""

    def graph(self, torch: Any, x: Any) -> tuple[Any, Any]:
        """Bring a tensor (batch, n_channels, any length) to the common length before it is scaled, for an exported model.

        The second result, broadcast to the first, is 1 for the steps of a series and 0 after its end; `torch` is the module.
        """
        # Add as many zeros as the common length, then cut: no operation depends on the length of the series.
        pad = torch.nn.functional.pad
        valid = pad(torch.ones_like(x[:, :1]), (0, self.n_timepoints))[..., : self.n_timepoints]
        return pad(x, (0, self.n_timepoints))[..., : self.n_timepoints], valid


@length_rules.register("pad")
class Pad(LengthRule):
    """Pad to the longest training series, and mark the padding, so that the network pools over real steps only."""

    exported = True
    marks = True


@length_rules.register("zeros")
class Zeros(LengthRule):
    """Pad with zeros after scaling; the network cannot distinguish them from values."""

    exported = True


@length_rules.register("edge")
class Edge(LengthRule):
    """Pad with the last value."""

    exported = True
    fills = True

    def fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        prepared[:, end:] = prepared[:, end - 1 : end]

    def graph(self, torch: Any, x: Any) -> tuple[Any, Any]:
        cut, valid = super().graph(torch, x)
        return cut * valid + x[..., -1:] * (1 - valid), valid


@length_rules.register("noise")
class UniformNoise(LengthRule):
    """Pad with the mean of the series plus uniform noise from 0 to 0.001."""

    fills = True

    @classmethod
    def fit(cls, training: Sequence[Series]) -> LengthRule:
        fitted = super().fit(training)
        return fitted if fitted.unequal else Zeros(fitted.n_timepoints, False)

    def fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        # The random stream is derived from the series, so that the noise does not depend on other cases.
        generator = np.random.RandomState(zlib.crc32(prepared[:, :end].tobytes()))
        mean = prepared[:, :end].mean(axis=1, keepdims=True)
        prepared[:, end:] = mean + generator.uniform(0, _NOISE, (len(prepared), prepared.shape[1] - end))


@length_rules.register("truncate")
class Truncate(LengthRule):
    """Truncate every series to the shortest training series."""

    exported = True

    @staticmethod
    def common(lengths: set[int]) -> int:
        return min(lengths)


@length_rules.register("resize")
class Resize(LengthRule):
    """Resize to the longest training series, by linear interpolation between the first and the last step."""

    exported = True

    def cut(self, series: Series) -> Series:
        if series.shape[1] == self.n_timepoints:
            return series
        old, new = np.linspace(0, 1, series.shape[1]), np.linspace(0, 1, self.n_timepoints)
        return np.stack([np.interp(new, old, channel) for channel in series])

    def graph(self, torch: Any, x: Any) -> tuple[Any, Any]:
        x = torch.nn.functional.interpolate(x, size=self.n_timepoints, mode="linear", align_corners=True)
        return x, torch.ones_like(x[:1, :1])
