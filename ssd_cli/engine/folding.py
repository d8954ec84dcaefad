"""Batch norms in evaluation mode, folded into the convolutions before them.

A norm multiplies channel c by ``scale[c] = weight[c] / sqrt(variance[c] + eps)``, and adds
``shift[c] = bias[c] - mean[c] scale[c]``. With the convolution before it, this is a convolution with ``scale`` times its filters,
and ``scale`` times its bias plus ``shift`` as bias.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import Network
from ssd_cli.backbones.fcn import FCNLayer
from ssd_cli.backbones.handmade import HandMadeFilters
from ssd_cli.backbones.inception import InceptionGroup, InceptionModule
from ssd_cli.backbones.layers import PointwiseConv1d, SameConv1d, SeparableConv1d
from ssd_cli.backbones.lite import MultiplexedLayer, SeparableLayer
from ssd_cli.backbones.resnet import ResidualBlock

Array = TypeVar("Array", Tensor, Any)


def statistics_of(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor, Tensor]:
    """Return running mean, running variance and number of batches; every norm of the backbones has them."""
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    return norm.running_mean, norm.running_var, norm.num_batches_tracked


def scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the factor and the summand of every channel of a norm in evaluation mode: each (channels,)."""
    assert isinstance(norm, nn.BatchNorm1d)
    mean, variance, _ = statistics_of(norm)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def fold_into(weight: Array, bias: Array | None, scale: Array, shift: Array) -> tuple[Array, Array]:
    """Return filters and bias of a convolution (filters, inputs, taps, or more axes) whose outputs are scaled and shifted.

    All arguments are tensors, or all are NumPy arrays.
    """
    return weight * scale.reshape(-1, *(1,) * (weight.ndim - 1)), shift if bias is None else bias * scale + shift


class Affine(nn.Module):
    """A scale and a shift (channels,) of maps: the part of a batch norm that follows a ReLU."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(scale[:, None]), nn.Parameter(shift[:, None])

    def forward(self, maps: Tensor) -> Tensor:
        """Map (n_cases, channels, n_timepoints) to the same shape."""
        return torch.addcmul(self.shift, maps, self.scale)


def frozen_copy(network: Network) -> Network:
    """Copy a network in evaluation mode and without gradients."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def fold_norms(network: Network) -> Network:
    """Fold every batch norm of a frozen network, in place, into the convolution before it; return the network.

    The outputs equal those before, to rounding error. Norms become the identity. Networks and parts of unknown classes do not
    change: a subclass may compute something else.
    """
    for module in list(network.modules()):
        if type(module) in _FOLDS and all(type(part) in _PARTS or type(part) in _FOLDS for part in module.modules()):
            _FOLDS[type(module)](module)
    return network.requires_grad_(False)


def _fold_layer(layer: FCNLayer | SeparableLayer) -> None:
    _fold(layer.convolution, *scale_and_shift(layer.norm))
    layer.add_module("norm", nn.Identity())


def _fold_shortcut(owner: InceptionGroup | ResidualBlock) -> None:
    if isinstance(owner.shortcut, nn.Conv1d):
        _fold(owner.shortcut, *scale_and_shift(owner.shortcut_norm))
        owner.add_module("shortcut_norm", nn.Identity())


def _fold_block(block: ResidualBlock) -> None:
    for i, convolution in enumerate(block.convolutions):
        _fold(convolution, *scale_and_shift(block.norms[i]))
        block.norms[i] = nn.Identity()
    _fold_shortcut(block)


def _fold_branches(module: InceptionModule | MultiplexedLayer) -> None:
    """Fold one norm into parallel convolutions; the hand-made filters end in a ReLU, so their channels get an `Affine` instead."""
    branches = [*module.convolutions, *([module.pooled] if isinstance(module, InceptionModule) else [])]
    scale, shift = scale_and_shift(module.norm)
    first = 0
    for branch in branches:
        filters = len(_last_convolution(branch).weight)
        _fold(branch, scale[first : first + filters], shift[first : first + filters])
        first += filters
    if module.handmade is not None:
        module.add_module("handmade", nn.Sequential(module.handmade, Affine(scale[first:], shift[first:])))
    module.add_module("norm", nn.Identity())


def _last_convolution(branch: nn.Module) -> nn.Conv1d:
    layer = branch.pointwise if isinstance(branch, SeparableConv1d) else branch
    assert isinstance(layer, nn.Conv1d)
    return layer


def _fold(branch: nn.Module, scale: Tensor, shift: Tensor) -> None:
    layer = _last_convolution(branch)
    weight, bias = fold_into(layer.weight, layer.bias, scale, shift)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)


_FOLDS: dict[type[nn.Module], Callable[[Any], None]] = {
    InceptionGroup: _fold_shortcut,
    InceptionModule: _fold_branches,
    MultiplexedLayer: _fold_branches,
    FCNLayer: _fold_layer,
    SeparableLayer: _fold_layer,
    ResidualBlock: _fold_block,
}
_PARTS = (SameConv1d, PointwiseConv1d, SeparableConv1d, HandMadeFilters, nn.BatchNorm1d, nn.ReLU, nn.Identity, nn.ModuleList)
