"""Convolutions of maps (channels, n_cases, n_timepoints) of short series by mixing matrices (`mixing`), padding "same".

A series is mixed as a whole. Each product reads the result of the previous one in place, as a stride or a transpose. For a few
dozen points a fast transform saves operations, but needs copies between its memory order and that of the products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.engine.convolution.mixing import mix_back, mix_samples, mix_taps, n_products


class MatrixConvolution:
    """Convolutions by kernels (filters, inputs, taps) and a bias (all filters,), for one length of series, without gradients.

    Kernels are mixed at construction; later changes have no effect.
    """

    def __init__(self, kernels: Sequence[Tensor], bias: Tensor, n_timepoints: int) -> None:
        self._size = _size(n_timepoints, [kernel.shape[2] for kernel in kernels])
        self._kernel = _mix_kernels(kernels, self._size)
        self._constant = self._size * bias[:, None]

    def __call__(self, maps: Tensor, out: Tensor) -> None:
        """Convolve maps (inputs, n_cases, n_timepoints); write to `out` (filters, n_cases, n_timepoints), contiguous."""
        n_timepoints = maps.shape[2]
        product = torch.bmm(self._kernel, _mix_maps(maps, self._size))
        product[0] += self._constant
        back = mix_back(self._size, n_timepoints, maps.dtype)
        torch.mm(product.view(len(product), -1).t(), back.t(), out=out.view(-1, n_timepoints))


def by_matrices(maps: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    """Convolve maps (inputs, n_cases, n_timepoints) with kernels (filters, inputs, taps): (all filters, n_cases, n_timepoints)."""
    result: Tensor = _ByMatrices.apply(maps, *kernels)
    return result


class _ByMatrices(Function):
    """Mix, multiply, mix back; the gradients use the transposed matrices."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, *kernels: Tensor) -> Tensor:
        _, n_cases, n_timepoints = maps.shape
        ctx.shapes = [kernel.shape for kernel in kernels]
        ctx.size = _size(n_timepoints, [shape[2] for shape in ctx.shapes])
        mixed, kernel = _mix_maps(maps, ctx.size), _mix_kernels(kernels, ctx.size)
        ctx.save_for_backward(mixed if any(ctx.needs_input_grad[1:]) else None, kernel)
        product = torch.bmm(kernel, mixed).view(len(kernel), -1)
        return (product.t() @ mix_back(ctx.size, n_timepoints, maps.dtype).t()).view(-1, n_cases, n_timepoints)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        mixed, kernel = ctx.saved_tensors
        _, n_cases, n_timepoints = gradient.shape
        back = mix_back(ctx.size, n_timepoints, gradient.dtype)
        of_product = (back.t() @ gradient.reshape(-1, n_timepoints).t()).view(len(kernel), -1, n_cases)
        of_maps = None
        if ctx.needs_input_grad[0]:
            of_mixed = torch.bmm(kernel.transpose(1, 2), of_product).view(len(kernel), -1)
            of_maps = (of_mixed.t() @ mix_samples(ctx.size, n_timepoints, gradient.dtype)).view(-1, n_cases, n_timepoints)
        if mixed is None:
            return of_maps, *(None for _ in ctx.shapes)
        of_kernel = torch.bmm(of_product, mixed.transpose(1, 2))
        parts = of_kernel.split([shape[0] for shape in ctx.shapes], 1)
        return of_maps, *(_unmix(part, shape, ctx.size) for part, shape in zip(parts, ctx.shapes, strict=True))


def _size(n_timepoints: int, taps: Sequence[int]) -> int:
    """Return the points of the circular convolution: the zeros after the series pad both sides of the widest kernel."""
    size = n_timepoints + max(max(padding_around(k)) for k in taps)
    return size + size % 2  # even sizes have two frequencies with one product each


def _mix_maps(maps: Tensor, size: int) -> Tensor:
    """Return mixed maps (n_products, inputs, n_cases) from maps (inputs, n_cases, n_timepoints)."""
    inputs, n_cases, n_timepoints = maps.shape
    mixed = mix_samples(size, n_timepoints, maps.dtype) @ maps.reshape(-1, n_timepoints).t()
    return mixed.view(n_products(size), inputs, n_cases)


def _mix_kernels(kernels: Sequence[Tensor], size: int) -> Tensor:
    """Return mixed kernels (n_products, filters of all, inputs) from kernels (filters, inputs, taps)."""
    inputs = kernels[0].shape[1]
    mixed = kernels[0].new_empty(n_products(size), sum(map(len, kernels)), inputs)
    for kernel, part in zip(kernels, mixed.split([len(kernel) for kernel in kernels], 1), strict=True):
        taps = kernel.shape[2]
        matrix = mix_taps(size, taps, -padding_around(taps)[0], kernel.dtype)
        part.copy_((matrix @ kernel.reshape(-1, taps).t()).view(part.shape))
    return mixed


def _unmix(of_mixed: Tensor, shape: torch.Size, size: int) -> Tensor:
    """Return the gradient of a kernel from that of its part of `_mix_kernels`."""
    matrix = mix_taps(size, shape[2], -padding_around(shape[2])[0], of_mixed.dtype)
    # Few rows and many columns: the transposed product takes up to ten times as long.
    return (matrix.t() @ of_mixed.reshape(len(of_mixed), -1)).t().reshape(shape)
