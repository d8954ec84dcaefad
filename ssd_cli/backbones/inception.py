"""InceptionTime's network (Ismail Fawaz et al. 2020, hfawaz/InceptionTime) and H-Inception (2022, MSD-IRIMAS/CF-4-TSC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network, SequentialNetwork
from ssd_cli.backbones.handmade import HandMadeFilters
from ssd_cli.backbones.layers import PointwiseConv1d, SameConv1d, batch_norm
from ssd_cli.configuration import require

GROUP = 3
"""Modules between two residual additions."""


class InceptionModule(nn.Module):
    """Three parallel convolutions on a 1x1 bottleneck, a pooled branch and optional hand-made filters; batch norm and ReLU.

    Each branch has `width` filters. The convolutions have `kernel`, half and a quarter of `kernel` taps.
    """

    def __init__(self, in_channels: int, width: int, kernel: int, handmade: HandMadeFilters | None = None) -> None:
        super().__init__()
        self.bottleneck = PointwiseConv1d(in_channels, width) if in_channels > 1 else nn.Identity()
        inner = width if in_channels > 1 else 1
        self.convolutions = nn.ModuleList(SameConv1d(inner, width, kernel // divisor) for divisor in (1, 2, 4))
        self.pooled = PointwiseConv1d(in_channels, width)
        self.handmade = handmade
        self.out_channels = 4 * width + (handmade.out_channels if handmade else 0)
        self.norm = batch_norm(self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, n_timepoints) to (batch, out_channels, n_timepoints)."""
        narrow = self.bottleneck(x)
        branches = [convolution(narrow) for convolution in self.convolutions]
        branches.append(self.pooled(F.max_pool1d(x, 3, stride=1, padding=1)))
        if self.handmade is not None:
            branches.append(self.handmade(x))
        return F.relu(self.norm(torch.cat(branches, 1)))


class InceptionGroup(nn.Module):
    """Three Inception modules bridged by a shortcut (1x1 convolution and batch normalisation), then ReLU."""

    def __init__(self, in_channels: int, width: int, kernel: int, handmade: HandMadeFilters | None = None) -> None:
        super().__init__()
        modules = [InceptionModule(in_channels, width, kernel, handmade)]
        for _ in range(GROUP - 1):
            modules.append(InceptionModule(modules[-1].out_channels, width, kernel))
        self.inception_modules = nn.ModuleList(modules)
        self.shortcut = PointwiseConv1d(in_channels, 4 * width)
        self.shortcut_norm = batch_norm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, n_timepoints) to (batch, 4 width, n_timepoints)."""
        maps = x
        for module in self.inception_modules:
            maps = module(maps)
        return F.relu(self.shortcut_norm(self.shortcut(x)) + maps)


class InceptionNetwork(SequentialNetwork):
    """Groups of three Inception modules; the first group is the stem, all others the body."""

    resumable = True

    def __init__(
        self, n_channels: int, n_classes: int, dropout: Dropout, *, width: int, depth: int, kernel: int, hybrid: bool
    ) -> None:
        super().__init__(4 * width, n_classes, dropout)
        handmade = HandMadeFilters(n_channels) if hybrid else None
        self.groups = nn.ModuleList([InceptionGroup(n_channels, width, kernel, handmade)])
        self.groups.extend(InceptionGroup(4 * width, width, kernel) for _ in range(depth // GROUP - 1))

    @property
    def parts(self) -> list[Any]:
        return list(self.groups)


@backbones.register("inception")
@dataclass(frozen=True)
class InceptionBackbone(Backbone):
    """The network of InceptionTime: six Inception modules, two residual shortcuts; 420 thousand parameters.

    Parameters
    ----------
    width : int
        Filters of each of the four branches, and of the bottleneck; the embedding has 4 width coordinates.
    depth : int
        Inception modules, a multiple of three of at least six.
    kernel : int
        Taps of the longest convolution; the other two have a half and a quarter of it.

    Notes
    -----
    Trainable parameters: 420,192 + 129 K for one channel, 489,472 + 192 C + 129 K for C > 1 channels and K classes. The
    reference subtracts one from its argument 41, so that kernels have 40, 20 and 10 taps.
    """

    hybrid: ClassVar[bool] = False
    narrow_share = 10 / 32  # a tenth of the parameters: 41,990 for one channel, without the head

    width: int = 32
    depth: int = 6
    kernel: int = 40

    def __post_init__(self) -> None:
        require(self.width >= 1, f"width must be at least 1, not {self.width}")
        require(self.depth >= 6 and self.depth % GROUP == 0, f"depth must be 6, 9, 12, ..., not {self.depth}")
        require(self.kernel >= 4, f"kernel must be at least 4, not {self.kernel}")

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return InceptionNetwork(n_channels, n_classes, dropout, **vars(self), hybrid=self.hybrid)


@backbones.register("h-inception")
@dataclass(frozen=True)
class HInceptionBackbone(InceptionBackbone):
    """InceptionTime's network whose first module also has 17 hand-made, frozen filters; 421 thousand parameters.

    Parameters
    ----------
    width, depth, kernel : int
        As for ``inception``.

    Notes
    -----
    Trainable parameters: 421,314 + 129 K for one channel, 490,594 + 192 C + 129 K for C > 1 channels and K classes;
    438 C weights are frozen.
    """

    published_batch_divisor = 10  # MSD-IRIMAS/CF-4-TSC: batches of min(n // 10, 64)
    hybrid = True
