"""The network as it is deployed: batch norms folded into the convolutions before them, and the execution that predicts fastest."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import Network, Outputs
from ssd_cli.backbones.fcn import FCNLayer, FCNNetwork
from ssd_cli.backbones.handmade import HandMadeFilters
from ssd_cli.backbones.inception import InceptionGroup, InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import PointwiseConv1d, SameConv1d, SeparableConv1d
from ssd_cli.backbones.lite import MultiplexedLayer, SeparableLayer
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.backbones.resnet import ResidualBlock, ResNetNetwork
from ssd_cli.engine.frozen import frozen
from ssd_cli.engine.inception import MATRICES_PAY_TO
from ssd_cli.engine.normalise import scale_and_shift
from ssd_cli.engine.planner import NetworkLike, bind

SPECTRA_PAY_FROM = 1500
"""Cases times steps of a batch from which spectra predict faster than direct convolutions, for Inception: measured on one core."""

CHANNELS_LAST_PAY_FROM = 200
"""The same for ResNet and FCN: from which the execution that trains predicts faster than the folded network."""


class Affine(nn.Module):
    """A scale and a shift for every channel: what is left of a batch norm that stands behind a ReLU."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(scale[:, None]), nn.Parameter(shift[:, None])

    def forward(self, maps: Tensor) -> Tensor:
        """Map (n_cases, channels, n_timepoints) to the same shape."""
        return torch.addcmul(self.shift, maps, self.scale)


class Deployed:
    """A frozen network that predicts. It takes no part in later changes of the network it was made from.

    Parameters
    ----------
    network : Network
        In any mode; what it gives in evaluation mode is computed.
    """

    def __init__(self, network: Network) -> None:
        self._inner = network.inner if isinstance(network, MaskedNetwork) else network
        self._frozen = _frozen_copy(network)
        self._spectral = bind(self._frozen, "fast") if type(self._inner) is InceptionNetwork else None
        self._short: dict[int, NetworkLike] = {}

    @cached_property
    def network(self) -> Network:
        """The folded network; made when it is first needed, since folding takes as long as predicting some cases."""
        return _fold_norms(self._frozen if self._spectral is None else _frozen_copy(self._frozen))

    @cached_property
    def _direct(self) -> NetworkLike:
        return bind(self.network, "bilinear") if type(self._inner) in (ResNetNetwork, FCNNetwork) else self.network

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Outputs:
        """Predict x (n_cases, n_channels, n_timepoints)."""
        if x.device.type != "cpu":
            return self.network(x)
        n_steps = x.shape[0] * x.shape[2]
        if self._spectral is not None and n_steps >= SPECTRA_PAY_FROM:
            return (self._spectral if x.shape[2] > MATRICES_PAY_TO else self._matrices(x.shape[2]))(x)
        return (self._direct if n_steps >= CHANNELS_LAST_PAY_FROM else self.network)(x)

    def _matrices(self, n_timepoints: int) -> NetworkLike:
        """The execution of Inception for short series of one length; the last one is kept."""
        if n_timepoints not in self._short:
            self._short = {n_timepoints: frozen(self._frozen, n_timepoints)}
        return self._short[n_timepoints]


def fold(network: Network) -> Deployed:
    """Give the network in the form in which it predicts: batch norms folded, no gradients, no dropout."""
    return Deployed(network)


def fold_norms(network: Network) -> Network:
    """Copy a network and fold every batch norm, with its running statistics, into the convolution before it.

    The outputs equal those of the network in evaluation mode, to rounding error. Norms become the identity. A network, or
    a part of one, of a kind that is not known here is only copied.
    """
    return _fold_norms(_frozen_copy(network))


def _frozen_copy(network: Network) -> Network:
    return copy.deepcopy(network).eval().requires_grad_(False)


def _fold_norms(folded: Network) -> Network:
    for module in list(folded.modules()):
        if type(module) in _FOLDS and all(type(part) in _PARTS or type(part) in _FOLDS for part in module.modules()):
            _FOLDS[type(module)](module)
    return folded.requires_grad_(False)


def _fold_group(group: InceptionGroup) -> None:
    _scale(group.shortcut, *scale_and_shift(group.shortcut_norm))
    group.add_module("shortcut_norm", nn.Identity())


def _fold_layer(layer: FCNLayer | SeparableLayer) -> None:
    _scale(layer.convolution, *scale_and_shift(layer.norm))
    layer.add_module("norm", nn.Identity())


def _fold_block(block: ResidualBlock) -> None:
    for i, convolution in enumerate(block.convolutions):
        _scale(convolution, *scale_and_shift(block.norms[i]))
        block.norms[i] = nn.Identity()
    if isinstance(block.shortcut, nn.Conv1d):
        _scale(block.shortcut, *scale_and_shift(block.shortcut_norm))
        block.add_module("shortcut_norm", nn.Identity())


def _fold_branches(module: InceptionModule | MultiplexedLayer) -> None:
    """Fold one norm into parallel convolutions; the hand-made filters, which stand before a ReLU, keep their share of it."""
    branches = [*module.convolutions, *([module.pooled] if isinstance(module, InceptionModule) else [])]
    scale, shift = scale_and_shift(module.norm)
    first = 0
    for branch in branches:
        filters = (branch.pointwise if isinstance(branch, SeparableConv1d) else branch).out_channels
        assert isinstance(filters, int)
        _scale(branch, scale[first : first + filters], shift[first : first + filters])
        first += filters
    if module.handmade is not None:
        module.add_module("handmade", nn.Sequential(module.handmade, Affine(scale[first:], shift[first:])))
    module.add_module("norm", nn.Identity())


def _scale(convolution: nn.Module, scale: Tensor, shift: Tensor) -> None:
    """Multiply the filters of a convolution by `scale` and add `shift`, in place."""
    layer = convolution.pointwise if isinstance(convolution, SeparableConv1d) else convolution
    assert isinstance(layer, nn.Conv1d)
    bias = shift if layer.bias is None else layer.bias * scale + shift
    layer.weight = nn.Parameter(layer.weight * scale[:, None, None])
    layer.bias = nn.Parameter(bias)


_FOLDS: dict[type[nn.Module], Callable[[Any], None]] = {
    InceptionGroup: _fold_group,
    InceptionModule: _fold_branches,
    MultiplexedLayer: _fold_branches,
    FCNLayer: _fold_layer,
    SeparableLayer: _fold_layer,
    ResidualBlock: _fold_block,
}
"""Exact types, as in the planner: what a subclass computes is not known."""

_PARTS = (SameConv1d, PointwiseConv1d, SeparableConv1d, HandMadeFilters, nn.BatchNorm1d, nn.ReLU, nn.Identity, nn.ModuleList)
