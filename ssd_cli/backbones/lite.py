"""LITE and LITEMV (Ismail-Fawaz et al. 2023), as in the repository MSD-IRIMAS/LITE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network, SequentialNetwork
from ssd_cli.backbones.handmade import HandMadeFilters
from ssd_cli.backbones.layers import SameConv1d, SeparableConv1d, batch_norm
from ssd_cli.configuration import require


class MultiplexedLayer(nn.Module):
    """Three parallel convolutions and the hand-made filters on the raw series; then batch normalisation and ReLU."""

    def __init__(self, n_channels: int, width: int, kernel: int, separable: bool) -> None:
        super().__init__()
        convolution = SeparableConv1d if separable else SameConv1d
        self.convolutions = nn.ModuleList(convolution(n_channels, width, kernel // divisor) for divisor in (1, 2, 4))
        self.handmade = HandMadeFilters(n_channels, depthwise=separable)
        self.out_channels = 3 * width + self.handmade.out_channels
        self.norm = batch_norm(self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_channels, n_timepoints) to (batch, out_channels, n_timepoints)."""
        branches = [convolution(x) for convolution in self.convolutions]
        return F.relu(self.norm(torch.cat([*branches, self.handmade(x)], 1)))


class SeparableLayer(nn.Sequential):
    """A separable, dilated convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.convolution = SeparableConv1d(in_channels, width, kernel, dilation=dilation)
        self.norm = batch_norm(width)
        self.activation = nn.ReLU()


class LITENetwork(SequentialNetwork):
    """A multiplexed layer (the stem) and two separable, dilated ones (the body)."""

    resumable = True

    def __init__(self, n_channels: int, n_classes: int, dropout: Dropout, *, width: int, kernel: int, separable: bool) -> None:
        super().__init__(width, n_classes, dropout)
        self.first = MultiplexedLayer(n_channels, width, kernel, separable)
        self.second = SeparableLayer(self.first.out_channels, width, kernel // 2, dilation=2)
        self.third = SeparableLayer(width, width, kernel // 4, dilation=4)

    @property
    def parts(self) -> list[Any]:
        return [self.first, self.second, self.third]


@backbones.register("lite")
@dataclass(frozen=True)
class LITEBackbone(Backbone):
    """LITE: hand-made filters and separable, dilated convolutions; 9.8 thousand parameters.

    Parameters
    ----------
    width : int
        Filters of every convolution, and coordinates of the embedding.
    kernel : int
        Taps of the longest convolution; the others have a half and a quarter of it.
    separable : bool
        LITEMV, the authors' variant for several channels: separable convolutions in layer 1 too, and hand-made filters for
        each channel.

    Notes
    -----
    Trainable parameters without the head (33 K for K classes): 2,240 C + 7,574 for C channels; LITEMV: 1,084 C + 6,656.
    """

    # A fifth of the parameters (1,966 for one channel, no head). LITE is small already, and half of the remaining parameters
    # process the 17 hand-made filters: a tenth would need another architecture.
    narrow_share = 8 / 32

    width: int = 32
    kernel: int = 40
    separable: bool = False

    def __post_init__(self) -> None:
        require(self.width >= 1, f"width must be at least 1, not {self.width}")
        require(self.kernel >= 4, f"kernel must be at least 4, not {self.kernel}")

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return LITENetwork(n_channels, n_classes, dropout, width=self.width, kernel=self.kernel, separable=self.separable)
