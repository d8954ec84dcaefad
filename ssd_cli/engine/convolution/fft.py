"""Convolutions by fast Fourier transforms, for all backbones of the package, on maps (channels, n_cases, n_timepoints)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from ssd_cli.backbones.fcn import FCNNetwork
from ssd_cli.backbones.inception import InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d, SeparableConv1d
from ssd_cli.backbones.lite import LITENetwork, MultiplexedLayer, SeparableLayer
from ssd_cli.backbones.resnet import ResNetNetwork
from ssd_cli.core.executions import convolutions
from ssd_cli.engine.convolution.base import Convolution, channel_major, typed
from ssd_cli.engine.convolution.normalise import normalise
from ssd_cli.engine.convolution.pooling import Entry
from ssd_cli.engine.convolution.recompute import recomputing
from ssd_cli.engine.convolution.resnet import SpectralFCN, SpectralResNet
from ssd_cli.engine.convolution.spectra import convolve, handmade, pointwise, separable


class SpectralInception(InceptionNetwork):
    """One transform for the three long kernels, matrix products for the 1x1 ones, a hand-written maximum."""

    def run(self, parts: list[Any], maps: Tensor) -> Tensor:
        maps = channel_major(maps)
        for group in parts:
            deep = maps
            for module in typed(group.inception_modules, InceptionModule):
                deep = recomputing(partial(self._run_module, module), deep, maps.shape[1] * maps.shape[2])
            maps = normalise([pointwise(maps, group.shortcut.weight)], group.shortcut_norm, residual=deep)
        return maps.transpose(0, 1)

    def _run_module(self, module: InceptionModule, maps: Tensor) -> Tensor:
        if len(maps) > 1:
            narrow, pooled = Entry.apply(maps, module.bottleneck.weight, module.pooled.weight)
        else:
            narrow, pooled = maps, pointwise(F.max_pool1d(maps, 3, 1, 1), module.pooled.weight)
        parts = self.long(narrow, [convolution.weight for convolution in typed(module.convolutions, SameConv1d)])
        parts.append(pooled)
        if module.handmade is not None:
            parts.append(handmade(maps, module.handmade))
        return normalise(parts, module.norm)

    @staticmethod
    def long(maps: Tensor, kernels: Sequence[Tensor]) -> list[Tensor]:
        """Compute the long convolutions."""
        return convolve(maps, kernels)


class SpectralLITE(LITENetwork):
    """LITE and LITEMV with depthwise convolutions by spectra."""

    def run(self, parts: list[Any], maps: Tensor) -> Tensor:
        maps = channel_major(maps)
        for layer in parts:
            maps = normalise(_branches(layer, maps), layer.norm)
        return maps.transpose(0, 1)


def _branches(layer: MultiplexedLayer | SeparableLayer, maps: Tensor) -> list[Tensor]:
    if isinstance(layer, SeparableLayer):
        return [separable(maps, layer.convolution)]
    if isinstance(layer.convolutions[0], SeparableConv1d):
        parts = [separable(maps, convolution) for convolution in typed(layer.convolutions, SeparableConv1d)]
    else:
        parts = convolve(maps, [convolution.weight for convolution in typed(layer.convolutions, SameConv1d)])
    return [*parts, handmade(maps, layer.handmade)]


@convolutions.register("fft")
class FFT(Convolution):
    """Products of spectra, where they are cheaper than direct convolutions."""

    views: ClassVar = {
        InceptionNetwork: SpectralInception,
        ResNetNetwork: SpectralResNet,
        FCNNetwork: SpectralFCN,
        LITENetwork: SpectralLITE,
    }
    preference = 1
