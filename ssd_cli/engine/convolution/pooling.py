"""The first operations of an Inception module on maps (channels, n_cases, n_timepoints): bottleneck and pooled branch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_FITS_THE_CACHE = 2**20
"""Elements up to which two maxima of pairs are faster (up to twice) than torch's pooling; with more elements they are slower."""


class Entry(Function):
    """A 1x1 convolution of the maps, and one of their maximum over three steps.

    It recomputes the pooled maps in the backward pass instead of storing them, and adds the two gradients in place.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, squeeze: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Map (inputs, n_cases, n_timepoints) with weights (filters, inputs, 1) to twice (filters, n_cases, n_timepoints)."""
        ctx.save_for_backward(maps, squeeze, pooled)
        flat = maps.view(len(maps), -1)
        maximum = max_of_three(maps).view(len(maps), -1)
        shape = (-1, *maps.shape[1:])
        return (squeeze.squeeze(-1) @ flat).view(shape), (pooled.squeeze(-1) @ maximum).view(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_squeezed: Tensor, of_pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, squeeze, pooled = ctx.saved_tensors
        inputs = len(maps)
        maximum = max_of_three(maps)
        of_squeezed, of_pooled = of_squeezed.reshape(len(squeeze), -1), of_pooled.reshape(len(pooled), -1)
        of_squeeze_weight = (of_squeezed @ maps.view(inputs, -1).t())[..., None]
        of_pooled_weight = (of_pooled @ maximum.view(inputs, -1).t())[..., None]
        of_maps = (squeeze.squeeze(-1).t() @ of_squeezed).view(maps.shape)
        of_maximum = (pooled.squeeze(-1).t() @ of_pooled).view(maps.shape)
        route_to_maxima(of_maximum, maps, maximum, of_maps)
        return of_maps, of_squeeze_weight, of_pooled_weight


def max_of_three(maps: Tensor) -> Tensor:
    """Return the maximum over the previous, the current and the next step, without gradient."""
    with torch.no_grad():
        if maps.shape[-1] == 1 or maps.numel() > _FITS_THE_CACHE:
            return F.max_pool1d(maps, 3, stride=1, padding=1)
        # All series as one; the two values at the ends of each series are corrected afterwards.
        flat, maximum = maps.view(-1), torch.empty_like(maps)
        pairs = torch.empty_like(maps)
        torch.maximum(flat[:-1], flat[1:], out=pairs.view(-1)[:-1])
        torch.maximum(pairs.view(-1)[:-2], pairs.view(-1)[1:-1], out=maximum.view(-1)[1:-1])
        maximum[..., 0], maximum[..., -1] = pairs[..., 0], pairs[..., -2]
        return maximum


def route_to_maxima(gradient: Tensor, maps: Tensor, maximum: Tensor, total: Tensor) -> None:
    """Add the gradient of the maximum, which is overwritten, to `total`: at the earliest step with the maximum, as torch does."""
    share = torch.empty_like(maps)
    before = torch.eq(maps[..., :-1], maximum[..., 1:], out=share[..., 1:])  # 1.0 where the step before held the maximum
    before.mul_(gradient[..., 1:])
    total[..., :-1] += before
    gradient[..., 1:] -= before
    torch.eq(maps, maximum, out=share).mul_(gradient)
    total += share
    gradient -= share
    total[..., 1:] += gradient[..., :-1]
