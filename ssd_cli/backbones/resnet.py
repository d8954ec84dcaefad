"""The residual network for time series (Wang et al. 2017), as in the repository hfawaz/dl-4-tsc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network, SequentialNetwork
from ssd_cli.backbones.layers import PointwiseConv1d, SameConv1d, batch_norm
from ssd_cli.configuration import require

KERNELS = (8, 5, 3)


class ResidualBlock(nn.Module):
    """Three convolutions (8, 5 and 3 taps), each with batch normalisation, and a shortcut that may have a 1x1 convolution.

    ReLU follows the first two convolutions and the sum.
    """

    def __init__(self, in_channels: int, width: int, *, project: bool) -> None:
        super().__init__()
        inputs = (in_channels, width, width)
        self.convolutions = nn.ModuleList(SameConv1d(c, width, k, bias=True) for c, k in zip(inputs, KERNELS, strict=True))
        self.norms = nn.ModuleList(batch_norm(width) for _ in KERNELS)
        self.shortcut = PointwiseConv1d(in_channels, width, bias=True) if project else nn.Identity()
        self.shortcut_norm = batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, n_timepoints) to (batch, width, n_timepoints)."""
        maps = x
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            maps = norm(convolution(maps))
            if i < len(KERNELS) - 1:
                maps = F.relu(maps)
        return F.relu(self.shortcut_norm(self.shortcut(x)) + maps)


class ResNetNetwork(SequentialNetwork):
    """Three residual blocks; the first is the stem, the others the body."""

    resumable = True

    def __init__(self, n_channels: int, n_classes: int, dropout: Dropout, width: int) -> None:
        super().__init__(2 * width, n_classes, dropout)
        blocks = ((n_channels, width, True), (width, 2 * width, True), (2 * width, 2 * width, False))
        self.blocks = nn.ModuleList(ResidualBlock(inputs, filters, project=project) for inputs, filters, project in blocks)

    @property
    def parts(self) -> list[Any]:
        return list(self.blocks)


@backbones.register("resnet")
@dataclass(frozen=True)
class ResNetBackbone(Backbone):
    """The residual network of Wang et al. 2017: three blocks of three convolutions; 504 thousand parameters.

    Parameters
    ----------
    width : int
        Filters of the first block; the other two have twice as many.

    Notes
    -----
    Trainable parameters: 503,424 + 576 C + 129 K for C channels and K classes. The third block's shortcut has no convolution, as in
    dl-4-tsc; other libraries put one there.
    """

    narrow_share = 20 / 64  # a tenth of the parameters: 50,140 for one channel, without the head
    published_batch_divisor = 10  # hfawaz/dl-4-tsc, classifiers/resnet.py: batches of min(n // 10, 64)

    width: int = 64

    def __post_init__(self) -> None:
        require(self.width >= 1, f"width must be at least 1, not {self.width}")

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return ResNetNetwork(n_channels, n_classes, dropout, self.width)
