"""Convolutions by fast Fourier transforms, for all backbones of the package; and LITE, whose dilation they get for nothing."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ssd_cli.backbones.fcn import FCNNetwork
from ssd_cli.backbones.inception import InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d, SeparableConv1d
from ssd_cli.backbones.lite import LITENetwork, SeparableLayer
from ssd_cli.backbones.resnet import ResNetNetwork
from ssd_cli.core.executions import convolutions
from ssd_cli.engine.convolution.base import Convolution, channel_major, typed
from ssd_cli.engine.convolution.inception import SpectralInception
from ssd_cli.engine.convolution.normalise import normalise
from ssd_cli.engine.convolution.resnet import SpectralFCN, SpectralResNet
from ssd_cli.engine.convolution.spectra import convolve, handmade, separable


class SpectralLITE(LITENetwork):
    """LITE and LITEMV with depthwise convolutions by spectra."""

    def stem(self, x: Tensor) -> Tensor:
        """Run layer 1."""
        layer, maps = self.first, channel_major(x)
        if isinstance(layer.convolutions[0], SeparableConv1d):
            parts = [separable(maps, convolution) for convolution in typed(layer.convolutions, SeparableConv1d)]
        else:
            parts = convolve(maps, [convolution.weight for convolution in typed(layer.convolutions, SameConv1d)])
        return normalise([*parts, handmade(maps, layer.handmade)], layer.norm).transpose(0, 1)

    def body(self, maps: Tensor) -> Tensor:
        """Run layers 2 and 3."""
        return _run(self.third, _run(self.second, channel_major(maps))).transpose(0, 1)


def _run(layer: SeparableLayer, maps: Tensor) -> Tensor:
    return normalise([separable(maps, layer.convolution)], layer.norm)


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
