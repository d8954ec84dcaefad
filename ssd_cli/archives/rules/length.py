"""Length rules: how series of different lengths get the length of the training series.

A series that already has that length is never changed. Where all training series are equally long, a shorter test series is filled
up with zeros after scaling, and a longer one loses its end, under every rule but ``resize``.
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
"""Largest value of the noise after a series' end: that of the UCR archive's adjusted datasets (Dau et al. 2019), as in aeon."""


@dataclass(frozen=True)
class LengthRule:
    """A rule, fitted to the training series; this class cuts longer series and leaves zeros after the end of shorter ones.

    Parameters
    ----------
    n_timepoints : int
        Length of every prepared series.
    unequal : bool
        Whether the training series differ in length.
    """

    n_timepoints: int
    unequal: bool

    exported: ClassVar[bool] = False
    """Whether `graph` computes what `cut` and `fill` compute. A rule that does not say so is refused by ``ssd-bench export``."""
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
        """The common length of training series of these lengths."""
        return max(lengths)

    def cut(self, series: Series) -> Series:
        """One series (n_channels, n_timepoints_i) of the common length or shorter, before it is scaled."""
        return series[:, : self.n_timepoints]

    def fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        """Put values after the end of one scaled series (n_channels, n_timepoints), in place; only where `fills`."""

    def graph(self, torch: Any, x: Any) -> tuple[Any, Any]:
        """Tensors of the common length, before they are scaled, for an exported model.

        Parameters
        ----------
        torch : module
            Passed because this package does not import it.
        x : Tensor, shape (batch, n_channels, any length), float64

        Returns
        -------
        x : Tensor, shape (batch, n_channels, n_timepoints)
        valid : Tensor, broadcast to the shape of `x`
            1 for the steps of a series, 0 after its end.
        """
        # Zeros as many as the common length, then a cut: no operation depends on whether a series is longer or shorter.
        pad = torch.nn.functional.pad
        valid = pad(torch.ones_like(x[:, :1]), (0, self.n_timepoints))[..., : self.n_timepoints]
        return pad(x, (0, self.n_timepoints))[..., : self.n_timepoints], valid


@length_rules.register("pad")
class Pad(LengthRule):
    """To the longest training series; a mark after a series' end lets the network pool over the steps of the series only."""

    exported = True
    marks = True


@length_rules.register("zeros")
class Zeros(LengthRule):
    """To the longest training series, with zeros after scaling, which the network cannot tell from values."""

    exported = True


@length_rules.register("edge")
class Edge(LengthRule):
    """To the longest training series, with the last value."""

    exported = True
    fills = True

    def fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        """Repeat the last value."""
        prepared[:, end:] = prepared[:, end - 1 : end]

    def graph(self, torch: Any, x: Any) -> tuple[Any, Any]:
        """Repeat the last value."""
        cut, valid = super().graph(torch, x)
        return cut * valid + x[..., -1:] * (1 - valid), valid


@length_rules.register("noise")
class UniformNoise(LengthRule):
    """To the longest training series, with the mean of the series plus uniform noise from 0 to 0.001."""

    fills = True

    @classmethod
    def fit(cls, training: Sequence[Series]) -> LengthRule:
        """Learn the common length; where all series have it, no noise is needed."""
        fitted = super().fit(training)
        return fitted if fitted.unequal else Zeros(fitted.n_timepoints, False)

    def fill(self, prepared: npt.NDArray[np.float32], end: int) -> None:
        """Add the noise, drawn from a stream of the series itself, so that it does not depend on other cases."""
        generator = np.random.RandomState(zlib.crc32(prepared[:, :end].tobytes()))
        mean = prepared[:, :end].mean(axis=1, keepdims=True)
        prepared[:, end:] = mean + generator.uniform(0, _NOISE, (len(prepared), prepared.shape[1] - end))


@length_rules.register("truncate")
class Truncate(LengthRule):
    """To the shortest training series; the end is dropped."""

    exported = True

    @staticmethod
    def common(lengths: set[int]) -> int:
        """The shortest."""
        return min(lengths)


@length_rules.register("resize")
class Resize(LengthRule):
    """To the longest training series, by linear interpolation between the first and the last step."""

    exported = True

    def cut(self, series: Series) -> Series:
        """Interpolate every channel."""
        if series.shape[1] == self.n_timepoints:
            return series
        old, new = np.linspace(0, 1, series.shape[1]), np.linspace(0, 1, self.n_timepoints)
        return np.stack([np.interp(new, old, channel) for channel in series])

    def graph(self, torch: Any, x: Any) -> tuple[Any, Any]:
        """Interpolate every channel."""
        x = torch.nn.functional.interpolate(x, size=self.n_timepoints, mode="linear", align_corners=True)
        return x, torch.ones_like(x[:1, :1])
