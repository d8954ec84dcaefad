"""Convolutions with fewer multiplications, by mixing matrices: whole short series for Inception, tiles for ResNet and FCN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from ssd_cli.backbones.base import Network
from ssd_cli.backbones.fcn import FCNNetwork
from ssd_cli.backbones.inception import InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.backbones.resnet import ResNetNetwork
from ssd_cli.core.executions import convolutions
from ssd_cli.engine.convolution.base import Convolution
from ssd_cli.engine.convolution.fft import SpectralInception
from ssd_cli.engine.convolution.matrices import by_matrices
from ssd_cli.engine.convolution.resnet import ChannelsLast, SpectralFCN, SpectralResNet
from ssd_cli.engine.convolution.spectra import convolve, windows_are_cheaper
from ssd_cli.engine.convolution.tiles import by_tiles, tiling_for

MATRICES_PAY_TO = 80
"""Steps up to which mixing matrices are faster than transforms, in training and in predicting: measured on one core."""


class BilinearInception(SpectralInception):
    """The long kernels of short series by mixing matrices, whose cost grows with the square of the length."""

    @staticmethod
    def long(maps: Tensor, kernels: Sequence[Tensor]) -> list[Tensor]:
        """Compute the long convolutions; use windows for few inputs and spectra for long series."""
        if windows_are_cheaper(kernels) or maps.shape[2] > MATRICES_PAY_TO:
            return convolve(maps, kernels)
        return [by_matrices(maps, kernels)]


class Tiled(ChannelsLast):
    """Tiles where they are cheaper than direct convolutions."""

    @staticmethod
    def cheaper(maps: Tensor, convolution: SameConv1d) -> Tensor | None:
        """Convolve by tiles; return None if they are not cheaper."""
        n_cases, inputs, _, n_timepoints = maps.shape
        filters, _, taps = convolution.weight.shape
        tiling = tiling_for(n_cases, n_timepoints, taps, inputs, filters)
        if tiling is None or convolution.bias is None:
            return None
        result = by_tiles(maps.permute(0, 2, 3, 1).squeeze(1), convolution.weight, convolution.bias, tiling)
        return result.unsqueeze(1).permute(0, 3, 1, 2)


class BilinearResNet(Tiled, SpectralResNet):
    """ResNet with tiles."""


class BilinearFCN(Tiled, SpectralFCN):
    """FCN with tiles."""


@convolutions.register("bilinear")
class Bilinear(Convolution):
    """Samples and taps are mixed, multiplied pairwise and mixed back (`mixing`)."""

    views: ClassVar = {InceptionNetwork: BilinearInception, ResNetNetwork: BilinearResNet, FCNNetwork: BilinearFCN}
    preference = 2

    @classmethod
    def longest(cls, network: type[Network]) -> float:
        """Return 80 steps for Inception, and no limit for the others."""
        return MATRICES_PAY_TO if network is InceptionNetwork else math.inf
