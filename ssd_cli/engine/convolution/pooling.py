"""The entry of an Inception module: bottleneck and pooled branch, which read the same maps (channels, n_cases, n_timepoints)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_FITS_THE_CACHE = 2**20
"""Numbers up to which two maxima of pairs are faster than the library's pooling, up to twice as fast; above, they are slower."""


class Entry(Function):
    """A 1x1 convolution of the maps, and one of their maximum over three steps.

    One operation for both, so that the pooled maps are recomputed rather than kept, and the two gradients are added in place.
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
        """Four matrix products and the routing of the maximum."""
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
    """Maximum over the step before, the step itself and the step after; without gradient, which is what makes it fast."""
    with torch.no_grad():
        if maps.shape[-1] == 1 or maps.numel() > _FITS_THE_CACHE:
            return F.max_pool1d(maps, 3, stride=1, padding=1)
        # All series as one: what reaches over the end of a series is put right afterwards.
        flat, maximum = maps.view(-1), torch.empty_like(maps)
        pairs = torch.empty_like(maps)
        torch.maximum(flat[:-1], flat[1:], out=pairs.view(-1)[:-1])
        torch.maximum(pairs.view(-1)[:-2], pairs.view(-1)[1:-1], out=maximum.view(-1)[1:-1])
        maximum[..., 0], maximum[..., -1] = pairs[..., 0], pairs[..., -2]
        return maximum


def route_to_maxima(gradient: Tensor, maps: Tensor, maximum: Tensor, total: Tensor) -> None:
    """Add the gradient of `max_of_three` to `total`: each to the earliest step that held the maximum, as the library does.

    Parameters
    ----------
    gradient : Tensor
        Gradient of the maximum; used up.
    maps, maximum, total : Tensor
        All of one shape (channels, n_cases, n_timepoints).
    """
    share = torch.empty_like(maps)
    before = torch.eq(maps[..., :-1], maximum[..., 1:], out=share[..., 1:])  # 1.0 where the step before held the maximum
    before.mul_(gradient[..., 1:])
    total[..., :-1] += before
    gradient[..., 1:] -= before
    torch.eq(maps, maximum, out=share).mul_(gradient)
    total += share
    gradient -= share
    total[..., 1:] += gradient[..., :-1]
