"""The spectra of kernels, and their gradients.

Gradients of spectra are carried as plain products of transforms. The weights that the inverse real transform gives to its bins
(2 / size; 1 / size for those that are their own conjugates) are applied here, where kernels are transformed back to few taps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.engine.transform import Transform

_kept: ContextVar[dict[tuple[Any, ...], Tensor] | None] = ContextVar("kept spectra", default=None)


@contextmanager
def kept_spectra() -> Iterator[None]:
    """Transform each kernel once until the end of the block, in which no weight may change and no gradient is wanted.

    For networks that outlive the block: kernels are known by their identity.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def spectrum_of(transform: Transform, dilation: int, *kernels: Tensor) -> Tensor:
    """The spectrum of kernels, (bins, all filters, inputs): see `KernelSpectrum`."""
    kept = _kept.get()
    if kept is None or not all(isinstance(kernel, nn.Parameter) for kernel in kernels):
        return KernelSpectrum.apply(transform, dilation, *kernels)
    key = transform, dilation, *map(id, kernels)
    if key not in kept:
        kept[key] = KernelSpectrum.apply(transform, dilation, *kernels)
    return kept[key]


@lru_cache(maxsize=256)
def dft_of_taps(transform: Transform, taps: int, dilation: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Matrices, shape (2 bins, taps), from taps to a conjugate spectrum (real parts, then imaginary parts) and, weighted, back."""
    offsets = torch.arange(taps, dtype=torch.float64) * dilation - padding_around(taps, dilation)[0] + transform.shift
    angles = torch.outer(torch.arange(transform.bins, dtype=torch.float64), offsets) * (2 * math.pi / transform.size)
    forward = torch.cat([angles.cos(), angles.sin()])
    weights = torch.full((2, transform.bins, 1), 2.0 / transform.size, dtype=torch.float64)
    weights[:, [0, -1]] /= 2  # sizes are even: the first and the last bin are their own conjugates
    return forward.to(dtype), (forward * weights.view(-1, 1)).to(dtype)


class KernelSpectrum(Function):
    """Kernels (filters, inputs, taps), of several lengths, to one spectrum (bins, all filters, inputs)."""

    @staticmethod
    def forward(ctx: Any, transform: Transform, dilation: int, *kernels: Tensor) -> Tensor:
        """Transform the taps of every kernel by one matrix product."""
        ctx.transform, ctx.dilation, ctx.shapes = transform, dilation, [kernel.shape for kernel in kernels]
        inputs, dtype = kernels[0].shape[1], kernels[0].dtype
        spectrum = torch.empty(transform.bins, sum(map(len, kernels)), inputs, dtype=dtype.to_complex())
        first = 0
        for kernel in kernels:
            filters, _, taps = kernel.shape
            matrix, _ = dft_of_taps(transform, taps, dilation, dtype)
            planes = (matrix @ kernel.reshape(-1, taps).t()).view(2, transform.bins, filters, inputs)
            torch.complex(planes[0], planes[1], out=spectrum[:, first : first + filters])
            first += filters
        return spectrum

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        """Transform back, at the taps only."""
        gradients = []
        parts = torch.view_as_real(gradient).split([shape[0] for shape in ctx.shapes], 1)
        for part, shape in zip(parts, ctx.shapes, strict=True):
            _, matrix = dft_of_taps(ctx.transform, shape[2], ctx.dilation, part.dtype)
            planes = part.movedim(-1, 0).contiguous().view(len(matrix), -1)
            # Few rows, many columns: the other way round, the same product takes up to ten times as long.
            gradients.append((matrix.t() @ planes).t().reshape(shape))
        return None, None, *gradients
