"""Convolutions that keep the length of a series; on CUDA as one matrix product.

When the same bits are required in every run, cuDNN chooses slow algorithms for these shapes that need gigabytes of workspace; its
search for better ones depends on measured time. Here every window of the series becomes a column, and one product multiplies the
kernels with all columns. On an H100, captured steps in fp32 are 1.0 to 26 times as fast as by cuDNN for ResNet, 2.4 to 17 times for
Inception (three shapes each, of 24 to 150 steps; results/speed/gpu). Columns of long series are large: 64 series of 18,000 steps
take 6 GB for 40 taps of 32 channels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def same_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, dilation: int = 1, groups: int = 1) -> Tensor:
    """Convolve x (batch, in_channels, n_timepoints), padding "same", with weight (out_channels, in_channels / groups, taps)."""
    if groups == 1 and by_columns(x):
        return column_convolution(x, weight, bias, dilation)
    padding = padding_around(weight.shape[-1], dilation)
    return F.conv1d(F.pad(x, padding) if any(padding) else x, weight, bias, dilation=dilation, groups=groups)


def padding_around(taps: int, dilation: int = 1) -> tuple[int, int]:
    """Return the zeros on the left, floor((k - 1) d / 2), and on the right, the rest: Keras's ``padding="same"``."""
    span = (taps - 1) * dilation
    return span // 2, span - span // 2


def by_columns(x: Tensor) -> bool:
    """Return whether a convolution of x is computed as a matrix product."""
    return x.is_cuda


def column_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """Convolve as `same_convolution` does with groups = 1, as a matrix product on any device; autocast applies."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        precision = torch.get_autocast_dtype(kind)
        x, weight, bias = x.to(precision), weight.to(precision), None if bias is None else bias.to(precision)
    maps: Tensor = _ColumnConvolution.apply(x[None], weight[None], dilation)[0]
    return maps if bias is None else maps + bias[:, None]


def columns_of(x: Tensor, taps: int, dilation: int, padding: tuple[int, int]) -> Tensor:
    """Return the windows of x (members, batch, channels, n_timepoints) as (members, channels * taps, batch * n_timepoints)."""
    padded = F.pad(x, padding) if any(padding) else x
    windows = padded.unfold(3, (taps - 1) * dilation + 1, 1)[..., ::dilation]
    return windows.permute(0, 2, 4, 1, 3).reshape(len(x), x.shape[2] * taps, -1)


class _ColumnConvolution(Function):
    """The convolution of x (members, batch, in_channels, n_timepoints) by weight (members, out_channels, in_channels, taps).

    Each member is a network. The backward pass computes the columns again: they are larger than the series by the number of taps.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        return _convolve(x, weight, dilation, padding_around(weight.shape[-1], dilation))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        x, weight, ctx.dilation = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        taps, dilation = weight.shape[-1], ctx.dilation
        left, right = padding_around(taps, dilation)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _convolve(gradient, weight.flip(3).transpose(1, 2), dilation, (right, left))
        if ctx.needs_input_grad[1]:
            rows = gradient.transpose(1, 2).reshape(len(gradient), gradient.shape[2], -1)
            of_weight = torch.bmm(rows, columns_of(x, taps, dilation, (left, right)).transpose(1, 2)).view(weight.shape)
        return of_x, of_weight, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, weight: Tensor, dilation: int) -> tuple[Tensor, int]:

        def members(tensor: Tensor, dim: int | None) -> Tensor:
            moved = tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            return moved.flatten(0, 1)

        result: Tensor = _ColumnConvolution.apply(members(x, in_dims[0]), members(weight, in_dims[1]), dilation)
        return result.unflatten(0, (info.batch_size, -1)), 0


def _convolve(x: Tensor, weight: Tensor, dilation: int, padding: tuple[int, int]) -> Tensor:
    """Return the maps (members, batch, out_channels, n_timepoints): a view whose outermost stride is that of the channels."""
    n_members, n_cases, _, n_timepoints = x.shape
    kernels = weight.reshape(n_members, weight.shape[1], -1)
    product = torch.bmm(kernels, columns_of(x, weight.shape[3], dilation, padding))
    return product.view(n_members, -1, n_cases, n_timepoints).transpose(1, 2)
