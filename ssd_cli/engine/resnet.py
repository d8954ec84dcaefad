"""The fast executions of ResNet and FCN: the same convolutions on maps whose channels lie next to each other in memory.

Their kernels have three to eight taps and up to 256 channels. Direct convolutions run at the speed of a matrix product in this
layout (about a fifth faster than with time contiguous), batch statistics several times faster. Five and eight taps between many
channels take half to three quarters of that by tiles. The older execution has spectra of whole series for them, which cost two
transposed copies to and from the layout that transforms need: the study's ResNet cells were made by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.backbones.fcn import FCNLayer, FCNNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.backbones.resnet import ResidualBlock, ResNetNetwork
from ssd_cli.engine.convolution import by_spectra
from ssd_cli.engine.execution import Execution, typed
from ssd_cli.engine.normalise import running_factor
from ssd_cli.engine.recompute import light
from ssd_cli.engine.tiles import by_tiles, tiling_for
from ssd_cli.engine.transform import cost, transform_for

Convolve = Callable[[Tensor, SameConv1d], "Tensor | None"]
"""A convolution by other means than the direct one, or None where that is the cheapest."""


class FastResNet(Execution[ResNetNetwork]):
    """ResNet with channels last, and spectra where they are cheaper."""

    def stem(self, x: Tensor) -> Tensor:
        """Block 1."""
        return self._block(typed(self.network.blocks, ResidualBlock)[0], _channels_last(x)).squeeze(2)

    def body(self, maps: Tensor) -> Tensor:
        """Blocks 2 and 3."""
        maps = _channels_last(maps)
        for block in typed(self.network.blocks, ResidualBlock)[1:]:
            maps = self._block(block, maps)
        return maps.squeeze(2)

    def pool(self, maps: Tensor) -> Tensor:
        """Average over time, whose gradient has channels next to each other: the next operation would take ten times as long."""
        return maps.transpose(1, 2).mean(1)

    def _block(self, block: ResidualBlock, maps: Tensor) -> Tensor:
        shortcut = _layer(maps, block.shortcut, block.shortcut_norm, self.cheaper, relu=False)
        layers = list(zip(block.convolutions, block.norms, strict=True))
        for convolution, norm in layers[:-1]:
            maps = _layer(maps, convolution, norm, self.cheaper)
        return _layer(maps, *layers[-1], self.cheaper, relu=False).add_(shortcut).relu_()

    @staticmethod
    def cheaper(maps: Tensor, convolution: SameConv1d) -> Tensor | None:
        """By spectra."""
        return _by_spectra(maps, convolution) if _spectra_are_cheaper(maps, convolution) else None


class FastFCN(Execution[FCNNetwork]):
    """FCN with channels last, and spectra where they are cheaper."""

    cheaper = staticmethod(FastResNet.cheaper)
    pool = FastResNet.pool

    def stem(self, x: Tensor) -> Tensor:
        """Layer 1."""
        layer = typed(self.network.layers, FCNLayer)[0]
        return _layer(_channels_last(x), layer.convolution, layer.norm, self.cheaper).squeeze(2)

    def body(self, maps: Tensor) -> Tensor:
        """Layers 2 and 3."""
        maps = _channels_last(maps)
        for layer in typed(self.network.layers, FCNLayer)[1:]:
            maps = _layer(maps, layer.convolution, layer.norm, self.cheaper)
        return maps.squeeze(2)


def _by_tiles(maps: Tensor, convolution: SameConv1d) -> Tensor | None:
    n_cases, inputs, _, n_timepoints = maps.shape
    filters, _, taps = convolution.weight.shape
    tiling = tiling_for(n_cases, n_timepoints, taps, inputs, filters)
    if tiling is None or convolution.bias is None:
        return None
    result = by_tiles(maps.permute(0, 2, 3, 1).squeeze(1), convolution.weight, convolution.bias, tiling)
    return result.unsqueeze(1).permute(0, 3, 1, 2)


class BilinearResNet(FastResNet):
    """ResNet with channels last, and tiles where they are cheaper."""

    cheaper = staticmethod(_by_tiles)


class BilinearFCN(FastFCN):
    """FCN with channels last, and tiles where they are cheaper."""

    cheaper = staticmethod(_by_tiles)


def _layer(maps: Tensor, convolution: nn.Module, norm: nn.Module, cheaper: Convolve, relu: bool = True) -> Tensor:
    def run(maps: Tensor) -> Tensor:
        normalised = _normalise(_convolve(maps, convolution, cheaper) if isinstance(convolution, nn.Conv1d) else maps, norm)
        return normalised.relu_() if relu else normalised

    return light(run, maps, maps.shape[0] * maps.shape[3])


def _channels_last(maps: Tensor) -> Tensor:
    """Maps (n_cases, channels, n_timepoints) as images (n_cases, channels, 1, n_timepoints) with channels contiguous."""
    return maps.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _convolve(maps: Tensor, convolution: nn.Conv1d, cheaper: Convolve) -> Tensor:
    padding = 0
    if isinstance(convolution, SameConv1d):
        result = cheaper(maps, convolution)
        if result is not None:
            return result
        left, right = convolution.padding_around
        if left == right:
            padding = left
        else:
            maps = F.pad(maps, (left, right))
    weight = convolution.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    return F.conv2d(maps, weight, convolution.bias, padding=(0, padding))


def _by_spectra(maps: Tensor, convolution: SameConv1d) -> Tensor:
    n_cases, inputs, _, n_timepoints = maps.shape
    channel_major = _Transposed.apply(maps.permute(0, 2, 3, 1).reshape(-1, inputs)).view(inputs, n_cases, n_timepoints)
    result = by_spectra(channel_major, [convolution.weight], convolution.bias)
    flat = _Transposed.apply(result.reshape(len(result), -1))
    return flat.view(n_cases, 1, n_timepoints, -1).permute(0, 3, 1, 2)


def _spectra_are_cheaper(maps: Tensor, convolution: SameConv1d) -> bool:
    """Compare nanoseconds of a forward and a backward pass, measured on one core with AVX-512: a pure function of shapes."""
    n_cases, inputs, _, n_timepoints = maps.shape
    filters, _, taps = convolution.weight.shape
    steps = n_cases * n_timepoints
    transform = transform_for(n_timepoints, n_cases, padding_around(taps), inputs, filters)
    spectra = cost(transform, n_cases, inputs, filters) + 2 * steps * (inputs + filters)
    return spectra < 0.9 * 0.06 * taps * inputs * filters * steps


class _Transposed(Function):
    """A matrix transposed in memory; so is its gradient, which plain transposition would leave in the wrong order."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        """Copy."""
        return matrix.t().contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Copy back."""
        return gradient.t().contiguous()


def _normalise(maps: Tensor, norm: nn.Module) -> Tensor:
    if not isinstance(norm, nn.BatchNorm1d):  # folded into the convolution
        return maps
    factor = running_factor(norm)
    return F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, factor, norm.eps)
