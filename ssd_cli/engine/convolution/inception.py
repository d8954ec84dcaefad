"""Inception and H-Inception on maps (channels, n_cases, n_timepoints)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from ssd_cli.backbones.inception import InceptionGroup, InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.engine.convolution.base import channel_major, typed
from ssd_cli.engine.convolution.normalise import normalise
from ssd_cli.engine.convolution.pooling import Entry
from ssd_cli.engine.convolution.recompute import light
from ssd_cli.engine.convolution.spectra import convolve, handmade, pointwise


class SpectralInception(InceptionNetwork):
    """One transform for the three long kernels, matrix products for the 1x1 ones, a hand-written maximum."""

    def stem(self, x: Tensor) -> Tensor:
        """Run the first group of modules."""
        return self._run(typed(self.groups, InceptionGroup)[:1], x)

    def body(self, maps: Tensor) -> Tensor:
        """Run all other groups."""
        return self._run(typed(self.groups, InceptionGroup)[1:], maps)

    def _run(self, groups: list[InceptionGroup], maps: Tensor) -> Tensor:
        maps = channel_major(maps)
        for group in groups:
            deep = maps
            for module in typed(group.inception_modules, InceptionModule):
                deep = light(partial(self._run_module, module), deep, maps.shape[1] * maps.shape[2])
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
