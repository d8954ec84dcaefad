"""The fast execution of Inception and H-Inception."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from ssd_cli.backbones.inception import InceptionGroup, InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.engine.convolution import convolve, handmade, pointwise, windows_are_cheaper
from ssd_cli.engine.execution import Execution, channel_major, typed
from ssd_cli.engine.matrix_convolution import by_matrices
from ssd_cli.engine.normalise import normalise
from ssd_cli.engine.pooling import Entry
from ssd_cli.engine.recompute import light

MATRICES_PAY_TO = 80
"""Steps up to which mixing matrices are faster than transforms, in training and in predicting: measured on one core."""


class FastInception(Execution[InceptionNetwork]):
    """One transform for the three long kernels, matrix products for the 1x1 ones, a hand-written maximum."""

    def stem(self, x: Tensor) -> Tensor:
        """The first group of modules."""
        return self._group(typed(self.network.groups, InceptionGroup)[0], channel_major(x)).transpose(0, 1)

    def body(self, maps: Tensor) -> Tensor:
        """All other groups."""
        maps = channel_major(maps)
        for group in typed(self.network.groups, InceptionGroup)[1:]:
            maps = self._group(group, maps)
        return maps.transpose(0, 1)

    def _group(self, group: InceptionGroup, maps: Tensor) -> Tensor:
        deep = maps
        for module in typed(group.inception_modules, InceptionModule):
            deep = light(partial(self._module, module), deep, maps.shape[1] * maps.shape[2])
        return normalise([pointwise(maps, group.shortcut.weight)], group.shortcut_norm, residual=deep)

    def _module(self, module: InceptionModule, maps: Tensor) -> Tensor:
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
        """The long convolutions."""
        return convolve(maps, kernels)


class BilinearInception(FastInception):
    """The long kernels by mixing matrices, for short series."""

    @staticmethod
    def long(maps: Tensor, kernels: Sequence[Tensor]) -> list[Tensor]:
        """The long convolutions; of few inputs by windows, of long series by spectra: matrices grow as its square."""
        if windows_are_cheaper(kernels) or maps.shape[2] > MATRICES_PAY_TO:
            return convolve(maps, kernels)
        return [by_matrices(maps, kernels)]
