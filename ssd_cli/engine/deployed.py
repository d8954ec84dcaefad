"""The form in which a frozen network predicts, with folded batch norms and the fastest convolutions without gradients."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import Network, Outputs
from ssd_cli.backbones.fcn import FCNNetwork
from ssd_cli.backbones.inception import InceptionGroup, InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.backbones.resnet import ResNetNetwork
from ssd_cli.engine.convolution.base import channel_major, typed, view
from ssd_cli.engine.convolution.bilinear import MATRICES_PAY_TO
from ssd_cli.engine.convolution.matrices import MatrixConvolution
from ssd_cli.engine.convolution.pooling import max_of_three
from ssd_cli.engine.convolution.spectra import convolve, handmade, pointwise
from ssd_cli.engine.folding import fold_into, fold_norms, frozen_copy, scale_and_shift
from ssd_cli.engine.planner import bind

SPECTRA_PAY_FROM = 1500
"""Cases times steps of a batch from which spectra predict faster than direct convolutions, for Inception: measured on one core."""

CHANNELS_LAST_PAY_FROM = 200
"""The same for ResNet and FCN, for the convolutions by which they are trained."""


class Deployed:
    """A network in the form that predicts: in evaluation mode, without gradients. Later changes of the network have no effect."""

    def __init__(self, network: Network) -> None:
        inner = network.inner if isinstance(network, MaskedNetwork) else network
        self._frozen = frozen_copy(network)
        self._spectral = bind(self._frozen, "fft") if type(inner) is InceptionNetwork else None
        self._tiled = type(inner) in (ResNetNetwork, FCNNetwork)
        self._short: dict[int, Network] = {}

    @cached_property
    def network(self) -> Network:
        """The folded network; made when it is first needed, since folding takes as long as predicting some cases."""
        return fold_norms(self._frozen if self._spectral is None else frozen_copy(self._frozen))

    @cached_property
    def _direct(self) -> Network:
        return bind(self.network, "bilinear") if self._tiled else self.network

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Outputs:
        """Predict x (n_cases, n_channels, n_timepoints)."""
        if x.device.type != "cpu":
            return self.network(x)
        n_steps = x.shape[0] * x.shape[2]
        if self._spectral is not None and n_steps >= SPECTRA_PAY_FROM:
            return (self._spectral if x.shape[2] > MATRICES_PAY_TO else self._matrices(x.shape[2]))(x)
        return (self._direct if n_steps >= CHANNELS_LAST_PAY_FROM else self.network)(x)

    def _matrices(self, n_timepoints: int) -> Network:
        """Return the Inception for short series of this length; only the last one is cached."""
        if n_timepoints not in self._short:
            self._short = {n_timepoints: _for_length(self._frozen, n_timepoints)}
        return self._short[n_timepoints]


def _for_length(network: Network, n_timepoints: int) -> Network:
    if isinstance(network, MaskedNetwork):
        return network.around(_for_length(network.inner, n_timepoints))
    fixed = view(network, FixedLengthInception)
    fixed.__dict__ = {**network.__dict__, "fixed": [_Group(group, n_timepoints) for group in typed(fixed.groups, InceptionGroup)]}
    return fixed


class FixedLengthInception(InceptionNetwork):
    """A view of an Inception in evaluation mode, without gradients, for series of one length."""

    fixed: list[_Group]

    @property
    def parts(self) -> list[Any]:
        """The folded groups."""
        return self.fixed

    def run(self, parts: list[Any], maps: Tensor) -> Tensor:
        """Run some of the groups."""
        return super().run(parts, channel_major(maps)).transpose(0, 1)


class _Group:
    """The weights of a group, folded."""

    def __init__(self, group: InceptionGroup, n_timepoints: int) -> None:
        self._modules = [_Module(module, n_timepoints) for module in typed(group.inception_modules, InceptionModule)]
        shortcut, shift = fold_into(group.shortcut.weight, group.shortcut.bias, *scale_and_shift(group.shortcut_norm))
        self._shortcut, self._shift = shortcut.squeeze(-1), shift[:, None]

    def __call__(self, maps: Tensor) -> Tensor:
        deep = maps
        for module in self._modules:
            deep = module(deep)
        total = torch.addmm(deep.view(len(deep), -1), self._shortcut, maps.view(len(maps), -1))
        total += self._shift
        return total.relu_().view(deep.shape)


class _Module:
    """The folded weights of a module. Its channels, in order: the long convolutions, the pooled branch, the hand-made filters."""

    def __init__(self, module: InceptionModule, n_timepoints: int) -> None:
        scale, shift = scale_and_shift(module.norm)
        kernels = [convolution.weight for convolution in typed(module.convolutions, SameConv1d)]
        self._first = first = sum(map(len, kernels))
        self._last = last = first + module.pooled.out_channels
        self._bottleneck = module.bottleneck.weight if isinstance(module.bottleneck, nn.Conv1d) else None
        scales = scale[:first].split([len(kernel) for kernel in kernels])
        self._kernels = [fold_into(kernel, None, part, part)[0] for kernel, part in zip(kernels, scales, strict=True)]
        self._long = MatrixConvolution(self._kernels, shift[:first], n_timepoints) if self._bottleneck is not None else None
        self._pooled = fold_into(module.pooled.weight, None, scale[first:last], shift[first:last])[0].squeeze(-1)
        self._handmade, self._handmade_scale, self._shift = module.handmade, scale[last:, None, None], shift[:, None]
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
