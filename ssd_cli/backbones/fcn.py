"""The fully convolutional network for time series (Wang et al. 2017), as in the repository hfawaz/dl-4-tsc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network, SequentialNetwork
from ssd_cli.backbones.layers import SameConv1d, batch_norm
from ssd_cli.configuration import require


class FCNLayer(nn.Sequential):
    """A convolution with bias, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.convolution = SameConv1d(in_channels, out_channels, kernel, bias=True)
        self.norm = batch_norm(out_channels)
        self.activation = nn.ReLU()


class FCNNetwork(SequentialNetwork):
    """Three convolutional layers; the first is the stem, the others the body."""

    resumable = True

    def __init__(self, n_channels: int, n_classes: int, dropout: Dropout, width: int) -> None:
        super().__init__(width, n_classes, dropout)
        shapes = ((n_channels, width, 8), (width, 2 * width, 5), (2 * width, width, 3))
        self.layers = nn.ModuleList(FCNLayer(*shape) for shape in shapes)

    @property
    def parts(self) -> list[Any]:
        return list(self.layers)


@backbones.register("fcn")
@dataclass(frozen=True)
class FCNBackbone(Backbone):
    """The fully convolutional network of Wang et al. 2017: three convolutions; 265 thousand parameters.

    Parameters
    ----------
    width : int
        Filters of the first and the last layer; the middle one has twice as many.

    Notes
    -----
    Trainable parameters: 263,680 + 1,024 C + 129 K for C channels and K classes.
    """

    published_epochs = 2000  # hfawaz/dl-4-tsc, classifiers/fcn.py: 2000 epochs in batches of min(n // 10, 16)
    published_batch_size = 16
    published_batch_divisor = 10
    narrow_share = 40 / 128  # a tenth of the parameters: 26,400 for one channel, without the head

    width: int = 128

    def __post_init__(self) -> None:
        require(self.width >= 1, f"width must be at least 1, not {self.width}")

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return FCNNetwork(n_channels, n_classes, dropout, self.width)
