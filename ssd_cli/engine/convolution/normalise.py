"""Batch normalisation, residual addition and ReLU in one operation on maps (channels, n_cases, n_timepoints)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ssd_cli.engine.convolution.recompute import is_recomputation
from ssd_cli.engine.folding import scale_and_shift, statistics_of


def normalise(parts: Sequence[Tensor], norm: nn.BatchNorm1d, residual: Tensor | None = None) -> Tensor:
    """Normalise maps, given in parts, as ``norm`` does in its mode; then add the residual and apply ReLU.

    The parts, each (channels, n_cases, n_timepoints), together have the channels of `norm`, and are not joined before.
    """
    if norm.training:
        return _BatchNormalise.apply(norm, residual, norm.weight, norm.bias, *parts)
    scale, shift = scale_and_shift(norm)
    maps = _joined(parts, scale[:, None, None])
    maps += shift[:, None, None]
    if residual is not None:
        maps += residual
    return maps.relu_()


def _joined(parts: Sequence[Tensor], scale: Tensor) -> Tensor:
    """Return all parts, scaled, in one tensor; in a single pass if gradients are off."""
    rows = _rows(parts)
    if torch.is_grad_enabled():
        return torch.cat([part * scale[some] for part, some in zip(parts, rows, strict=True)])
    maps = parts[0].new_empty(len(scale), *parts[0].shape[1:])
    for part, some in zip(parts, rows, strict=True):
        torch.mul(part, scale[some], out=maps[some])
    return maps


def _rows(parts: Sequence[Tensor]) -> list[slice]:
    """Return the position of each part among all channels."""
    ends = list(accumulate(map(len, parts), initial=0))
    return [slice(*pair) for pair in pairwise(ends)]


class _BatchNormalise(Function):
    """Training mode: centre, scale by the variance of the centred maps (no cancellation), add, rectify."""

    @staticmethod
    def forward(ctx: Any, norm: nn.BatchNorm1d, residual: Tensor | None, weight: Tensor, shift: Tensor, *parts: Tensor) -> Tensor:
        n_cases, n_timepoints = parts[0].shape[1:]
        count = n_cases * n_timepoints
        if count < 2:
            raise ValueError("Expected more than 1 value per channel when training: one step of one case has no variance.")
        channels = len(weight)
        centred = weight.new_empty(channels, n_cases, n_timepoints)
        mean = weight.new_empty(channels, 1, 1)
        for part, rows in zip(parts, _rows(parts), strict=True):
            torch.mean(part, (1, 2), keepdim=True, out=mean[rows])
            torch.sub(part, mean[rows], out=centred[rows])
        flat = centred.view(1, channels, count)
        variance = torch.linalg.vector_norm(flat[0], dim=1).square_().div_(count)
        factor = running_factor(norm)
        running_mean, running_variance, _ = statistics_of(norm)
        running_mean.lerp_(mean.view(channels), factor)
        running_variance.lerp_(variance * (count / (count - 1)), factor)  # unbiased, as in torch
        zeros = torch.zeros_like(variance)
        maps = F.batch_norm(flat, zeros, variance, weight, shift, False, 0.0, norm.eps).view(centred.shape)
        if residual is not None:
            maps += residual
        maps.relu_()
        ctx.save_for_backward(centred, variance, weight, maps)
        ctx.eps, ctx.sizes = norm.eps, [len(part) for part in parts]
        return maps

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        centred, variance, weight, maps = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, maps, 0)
        flat, zeros, scale = (1, len(weight), -1), torch.zeros_like(variance), torch.rsqrt(variance + ctx.eps)
        of_maps, of_weight, of_shift = torch.ops.aten.native_batch_norm_backward(
            gradient.reshape(flat), centred.view(flat), weight, None, None, zeros, scale, True, ctx.eps, [True, True, True]
        )
        parts = of_maps.view(centred.shape).split(ctx.sizes)
        return None, gradient if ctx.needs_input_grad[1] else None, of_weight, of_shift, *parts


def running_factor(norm: nn.BatchNorm1d) -> float:
    """Count a batch in training mode, and return its weight in the running statistics; momentum None averages all batches."""
    if not norm.training or is_recomputation():
        return 0.0
    _, _, batches = statistics_of(norm)
    batches.add_(1)
    return 1 / float(batches) if norm.momentum is None else norm.momentum
