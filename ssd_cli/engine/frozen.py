"""The execution by which a frozen Inception predicts short series: norms folded, every part of the maps written in its place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import Network
from ssd_cli.backbones.inception import InceptionGroup, InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.engine.convolution import convolve, handmade, pointwise
from ssd_cli.engine.execution import Execution, channel_major, typed
from ssd_cli.engine.masked import MaskedExecution
from ssd_cli.engine.matrix_convolution import MatrixConvolution
from ssd_cli.engine.normalise import scale_and_shift
from ssd_cli.engine.planner import NetworkLike
from ssd_cli.engine.pooling import max_of_three


def frozen(network: Network, n_timepoints: int) -> NetworkLike:
    """The execution of an Inception, or of one that pools over valid steps, for series of one length."""
    if isinstance(network, MaskedNetwork):
        return MaskedExecution(network, frozen(network.inner, n_timepoints))
    assert isinstance(network, InceptionNetwork)
    return FrozenInception(network, n_timepoints)


class FrozenInception(Execution[InceptionNetwork]):
    """Inception and H-Inception in evaluation mode, without gradients, for series of one length.

    Parameters
    ----------
    network : InceptionNetwork
        Its weights must not change any more.
    n_timepoints : int
    """

    def __init__(self, network: InceptionNetwork, n_timepoints: int) -> None:
        super().__init__(network)
        self._groups = [_FrozenGroup(group, n_timepoints) for group in typed(network.groups, InceptionGroup)]

    def stem(self, x: Tensor) -> Tensor:
        """The first group of modules."""
        return self._groups[0](channel_major(x)).transpose(0, 1)

    def body(self, maps: Tensor) -> Tensor:
        """All other groups."""
        maps = channel_major(maps)
        for group in self._groups[1:]:
            maps = group(maps)
        return maps.transpose(0, 1)


class _FrozenGroup:
    def __init__(self, group: InceptionGroup, n_timepoints: int) -> None:
        self._modules = [_FrozenModule(module, n_timepoints) for module in typed(group.inception_modules, InceptionModule)]
        scale, self._shift = _columns(group.shortcut_norm)
        self._shortcut = scale * group.shortcut.weight.squeeze(-1)

    def __call__(self, maps: Tensor) -> Tensor:
        deep = maps
        for module in self._modules:
            deep = module(deep)
        total = torch.addmm(deep.view(len(deep), -1), self._shortcut, maps.view(len(maps), -1))
        total += self._shift
        return total.relu_().view(deep.shape)


class _FrozenModule:
    """The channels of the maps, in order: the long convolutions, the pooled branch, the hand-made filters."""

    def __init__(self, module: InceptionModule, n_timepoints: int) -> None:
        scale, self._shift = _columns(module.norm)
        kernels = [convolution.weight for convolution in typed(module.convolutions, SameConv1d)]
        self._first = first = sum(map(len, kernels))
        self._last = last = first + module.pooled.out_channels
        self._bottleneck = module.bottleneck.weight if isinstance(module.bottleneck, nn.Conv1d) else None
        scales = scale[:first, :, None].split([len(kernel) for kernel in kernels])
        self._kernels = [kernel * part for kernel, part in zip(kernels, scales, strict=True)]
        self._long = (
            MatrixConvolution(self._kernels, self._shift[:first, 0], n_timepoints) if self._bottleneck is not None else None
        )
        self._pooled = scale[first:last] * module.pooled.weight.squeeze(-1)
        self._handmade, self._handmade_scale = module.handmade, scale[last:, None]
        self._n_channels = module.out_channels

    def __call__(self, maps: Tensor) -> Tensor:
        first, last, shift = self._first, self._last, self._shift
        joined = maps.new_empty(self._n_channels, *maps.shape[1:])
        if self._long is not None and self._bottleneck is not None:
            self._long(pointwise(maps, self._bottleneck), joined[:first])
        else:
            torch.add(torch.cat(convolve(maps, self._kernels)), shift[:first, None], out=joined[:first])
        maximum = max_of_three(maps).view(len(maps), -1)
        torch.addmm(shift[first:last], self._pooled, maximum, out=joined[first:last].view(last - first, -1))
        if self._handmade is not None:
            torch.addcmul(shift[last:, None], handmade(maps, self._handmade), self._handmade_scale, out=joined[last:])
        return joined.relu_()


def _columns(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """What a norm multiplies every channel with, and adds to it: each (channels, 1)."""
    scale, shift = scale_and_shift(norm)
    return scale[:, None], shift[:, None]
