"""Transforms of series and kernels to spectra and back.

Maps are (channels, n_cases, n_timepoints), so that a transform runs over contiguous time; spectra are (channels, columns, bins). A
column is a series, or one of its overlapping blocks (overlap-save): blocks bound the size of the kernels' spectra.

Gradients of spectra are plain products of transforms. The inverse real transform has weights: 2 / size, and 1 / size for bins that
are their own conjugates. They are applied to the gradients of kernels, which are transformed back to few taps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ssd_cli.backbones.convolution import padding_around

LONGEST_SINGLE = 768
"""Points of a transform that still fits into a core's cache with the kernels' spectra; blocks are as fast with less memory."""
BLOCK_SIZES = (64, 96, 128, 192, 256, 384, 512)
FACTORS = (1, 3, 5, 7, 9, 11, 15, 21, 25, 27, 35, 45)
"""Odd factors of the sizes that transform at full speed."""


@dataclass(frozen=True)
class Transform:
    """A transform of series of one length for kernels of one reach: `left` steps before their output and `right` after it."""

    n_timepoints: int
    left: int
    right: int
    size: int
    """Points; even, and with several blocks at least 2 (left + right), so that at most two blocks overlap."""
    blocks: int
    """A single block is the whole series; the zeros after its end pad both sides (the transform is circular)."""

    @property
    def bins(self) -> int:
        """Frequencies of a real transform."""
        return self.size // 2 + 1

    @property
    def shift(self) -> int:
        """Steps between a block's start and its first output."""
        return self.left if self.blocks > 1 else 0

    @property
    def step(self) -> int:
        """Outputs of a block."""
        return self.size - self.left - self.right if self.blocks > 1 else self.n_timepoints

    def spectrum(self, maps: Tensor) -> Tensor:
        """Transform maps (channels, n_cases, n_timepoints) to (channels, n_cases * blocks, bins)."""
        if self.blocks > 1:
            n_after = self.blocks * self.step - self.n_timepoints + self.right
            maps = F.pad(maps, (self.left, n_after)).unfold(-1, self.size, self.step)
        return torch.fft.rfft(maps, self.size).reshape(len(maps), -1, self.bins)

    def series(self, spectrum: Tensor) -> Tensor:
        """Transform products of spectra (channels, n_cases * blocks, bins) to outputs (channels, n_cases, n_timepoints)."""
        outputs = torch.fft.irfft(spectrum, self.size)[..., : self.step]
        if self.blocks == 1:
            return outputs
        return outputs.reshape(len(spectrum), -1, self.blocks * self.step)[..., : self.n_timepoints]

    def gradient_spectrum(self, gradient: Tensor) -> Tensor:
        """Transform the gradient of the result of `series`; the shapes are those of `spectrum`."""
        if self.blocks > 1:
            gradient = F.pad(gradient, (0, self.blocks * self.step - self.n_timepoints)).view(len(gradient), -1, self.step)
        return torch.fft.rfft(gradient, self.size)

    def gradient_series(self, spectrum: Tensor) -> Tensor:
        """Return the gradient of the argument of `spectrum`: overlapping blocks are added."""
        blocks = torch.fft.irfft(spectrum, self.size)
        if self.blocks == 1:
            return blocks[..., : self.n_timepoints]
        blocks = blocks.view(len(spectrum), -1, self.blocks, self.size)
        summed = blocks.new_zeros(*blocks.shape[:2], self.blocks + 1, self.step)
        summed[:, :, :-1] = blocks[..., : self.step]
        summed[:, :, 1:, : self.size - self.step] += blocks[..., self.step :]
        return summed.flatten(2)[..., self.left : self.left + self.n_timepoints]


def good_size(at_least: int) -> int:
    """Return the smallest size f * 2**k >= `at_least`, with f in `FACTORS` and k >= 2."""
    sizes = (factor * 2**power for factor in FACTORS for power in range(2, at_least.bit_length() + 2))
    return min(size for size in sizes if size >= at_least)


@lru_cache(maxsize=1024)
def transform_for(n_timepoints: int, n_cases: int, reach: tuple[int, int], inputs: int, outputs: int) -> Transform:
    """Return the cheapest transform for a dense convolution; `reach` is the widest kernel's extent to the left and to the right."""
    left, right = reach
    single = good_size(n_timepoints + max(left, right))
    whole = Transform(n_timepoints, left, right, single, 1)
    candidates = [whole] if single <= LONGEST_SINGLE else []
    sizes = [size for size in BLOCK_SIZES if 2 * (left + right) <= size < single]
    for size in sizes or ([] if candidates else [good_size(4 * (left + right))]):
        blocks = -(-n_timepoints // (size - left - right))
        if blocks > 1:
            candidates.append(Transform(n_timepoints, left, right, size, blocks))
    # Without candidates: hundreds of taps on a series that is not much longer need one block.
    return min(candidates or [whole], key=lambda transform: cost(transform, n_cases, inputs, outputs))


def cost(transform: Transform, n_cases: int, inputs: int, outputs: int) -> float:
    """Return nanoseconds of a dense convolution, forward and backward, on one thread of a core with AVX-512.

    Measured values are 4 per sample for transforms and copies, and 0.16 per sample and pair of channels for the three products. The
    kernels' transforms take 4 per point and pair of channels.
    """
    columns = n_cases * transform.blocks
    pairs = inputs * outputs
    return transform.size * (columns * (4 * (inputs + outputs) + 0.16 * pairs) + 4 * pairs)


_kept: ContextVar[dict[tuple[Any, ...], Tensor] | None] = ContextVar("kept spectra", default=None)


@contextmanager
def kept_spectra() -> Iterator[None]:
    """Transform each kernel only once within the block, without gradients; networks and weights must not change before its end."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def spectrum_of(transform: Transform, dilation: int, *kernels: Tensor) -> Tensor:
    """Return the spectrum of kernels, (bins, all filters, inputs): see `KernelSpectrum`."""
    kept = _kept.get()
    if kept is None or not all(isinstance(kernel, nn.Parameter) for kernel in kernels):
        return KernelSpectrum.apply(transform, dilation, *kernels)
    key = transform, dilation, *map(id, kernels)
    if key not in kept:
        kept[key] = KernelSpectrum.apply(transform, dilation, *kernels)
    return kept[key]


@lru_cache(maxsize=256)
def dft_of_taps(transform: Transform, taps: int, dilation: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the matrices (2 bins, taps) from taps to a conjugate spectrum (real, then imaginary parts) and, weighted, back."""
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
        gradients = []
        parts = torch.view_as_real(gradient).split([shape[0] for shape in ctx.shapes], 1)
        for part, shape in zip(parts, ctx.shapes, strict=True):
            _, matrix = dft_of_taps(ctx.transform, shape[2], ctx.dilation, part.dtype)
            planes = part.movedim(-1, 0).contiguous().view(len(matrix), -1)
            # Few rows and many columns: the transposed product takes up to ten times as long.
            gradients.append((matrix.t() @ planes).t().reshape(shape))
        return None, None, *gradients
