"""The fast execution of LITE and LITEMV."""

from __future__ import annotations

from torch import Tensor

from ssd_cli.backbones.layers import SameConv1d, SeparableConv1d
from ssd_cli.backbones.lite import LITENetwork, MultiplexedLayer, SeparableLayer
from ssd_cli.engine.convolution import convolve, handmade, separable
from ssd_cli.engine.execution import Execution, channel_major, typed
from ssd_cli.engine.normalise import normalise


class FastLITE(Execution[LITENetwork]):
    """Depthwise convolutions by spectra, where dilation costs nothing."""

    def stem(self, x: Tensor) -> Tensor:
        """Layer 1."""
        return _multiplexed(self.network.first, channel_major(x)).transpose(0, 1)

    def body(self, maps: Tensor) -> Tensor:
        """Layers 2 and 3."""
        return _separable(self.network.third, _separable(self.network.second, channel_major(maps))).transpose(0, 1)


def _multiplexed(layer: MultiplexedLayer, maps: Tensor) -> Tensor:
    if isinstance(layer.convolutions[0], SeparableConv1d):
        parts = [separable(maps, convolution) for convolution in typed(layer.convolutions, SeparableConv1d)]
    else:
        parts = convolve(maps, [convolution.weight for convolution in typed(layer.convolutions, SameConv1d)])
    return normalise([*parts, handmade(maps, layer.handmade)], layer.norm)


def _separable(layer: SeparableLayer, maps: Tensor) -> Tensor:
    return normalise([separable(maps, layer.convolution)], layer.norm)
