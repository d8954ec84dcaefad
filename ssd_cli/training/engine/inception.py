"""The fast execution of Inception and H-Inception."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor

from ssd_cli.backbones.inception import InceptionGroup, InceptionModule, InceptionNetwork
from ssd_cli.backbones.layers import SameConv1d
from ssd_cli.training.engine.convolution import convolve, handmade, pointwise
from ssd_cli.training.engine.execution import Execution, channel_major, typed
from ssd_cli.training.engine.normalise import normalise
from ssd_cli.training.engine.pooling import Entry
from ssd_cli.training.engine.recompute import light


class FastInception(Execution[InceptionNetwork]):
    """One transform for the three long kernels, matrix products for the 1x1 ones, a hand-written maximum."""

    def stem(self, x: Tensor) -> Tensor:
        """The first group of modules."""
        return _group(typed(self.network.groups, InceptionGroup)[0], channel_major(x)).transpose(0, 1)

    def body(self, maps: Tensor) -> Tensor:
        """All other groups."""
        maps = channel_major(maps)
        for group in typed(self.network.groups, InceptionGroup)[1:]:
            maps = _group(group, maps)
        return maps.transpose(0, 1)


def _group(group: InceptionGroup, maps: Tensor) -> Tensor:
    deep = maps
    for module in typed(group.inception_modules, InceptionModule):
        deep = light(partial(_module, module), deep, maps.shape[1] * maps.shape[2])
    return normalise([pointwise(maps, group.shortcut.weight)], group.shortcut_norm, residual=deep)


def _module(module: InceptionModule, maps: Tensor) -> Tensor:
    if len(maps) > 1:
        narrow, pooled = Entry.apply(maps, module.bottleneck.weight, module.pooled.weight)
    else:
        narrow, pooled = maps, pointwise(F.max_pool1d(maps, 3, 1, 1), module.pooled.weight)
    parts = convolve(narrow, [convolution.weight for convolution in typed(module.convolutions, SameConv1d)])
    parts.append(pooled)
    if module.handmade is not None:
        parts.append(handmade(maps, module.handmade))
    return normalise(parts, module.norm)
