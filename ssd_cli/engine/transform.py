"""From series to spectra and back: which transform a convolution uses, and how long series are cut into blocks.

Maps are (channels, n_cases, n_timepoints), so that a transform runs over contiguous time; spectra are (channels, columns, bins). A
column is a series, or one of its blocks: long series are cut into overlapping blocks (overlap-save), which bounds the size of the
kernels' spectra.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST_SINGLE = 768
"""A longer transform does not fit into a core's cache with the kernels' spectra; blocks are as fast and need less memory."""
BLOCK_SIZES = (64, 96, 128, 192, 256, 384, 512)
FACTORS = (1, 3, 5, 7, 9, 11, 15, 21, 25, 27, 35, 45)
"""Odd parts of the sizes that transform at full speed."""


@dataclass(frozen=True)
class Transform:
    """One way to transform series of a given length for kernels of a given reach.

    Parameters
    ----------
    n_timepoints : int
        Length of the series.
    left, right : int
        Steps that the kernels see before and after their output.
    size : int
        Points of the transform; even, and with several blocks at least 2 (left + right), so that no more than two blocks overlap.
    blocks : int
        Blocks of a series. A single block is the whole series, padded by the zeros behind its end (the transform is circular).
    """

    n_timepoints: int
    left: int
    right: int
    size: int
    blocks: int

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
            behind = self.blocks * self.step - self.n_timepoints + self.right
            maps = F.pad(maps, (self.left, behind)).unfold(-1, self.size, self.step)
        return torch.fft.rfft(maps, self.size).reshape(len(maps), -1, self.bins)

    def series(self, spectrum: Tensor) -> Tensor:
        """Transform products of spectra (channels, n_cases * blocks, bins) to outputs (channels, n_cases, n_timepoints)."""
        outputs = torch.fft.irfft(spectrum, self.size)[..., : self.step]
        if self.blocks == 1:
            return outputs
        return outputs.reshape(len(spectrum), -1, self.blocks * self.step)[..., : self.n_timepoints]

    def gradient_spectrum(self, gradient: Tensor) -> Tensor:
        """Transform the gradient of what `series` gave; shapes as there."""
        if self.blocks > 1:
            gradient = F.pad(gradient, (0, self.blocks * self.step - self.n_timepoints)).view(len(gradient), -1, self.step)
        return torch.fft.rfft(gradient, self.size)

    def gradient_series(self, spectrum: Tensor) -> Tensor:
        """The gradient of what `spectrum` took: overlapping blocks are added."""
        blocks = torch.fft.irfft(spectrum, self.size)
        if self.blocks == 1:
            return blocks[..., : self.n_timepoints]
        blocks = blocks.view(len(spectrum), -1, self.blocks, self.size)
        summed = blocks.new_zeros(*blocks.shape[:2], self.blocks + 1, self.step)
        summed[:, :, :-1] = blocks[..., : self.step]
        summed[:, :, 1:, : self.size - self.step] += blocks[..., self.step :]
        return summed.flatten(2)[..., self.left : self.left + self.n_timepoints]


def good_size(at_least: int) -> int:
    """The smallest size, not below `at_least`, that is a multiple of four and a power of two times one of `FACTORS`."""
    sizes = (factor * 2**power for factor in FACTORS for power in range(2, at_least.bit_length() + 2))
    return min(size for size in sizes if size >= at_least)


@lru_cache(maxsize=1024)
def transform_for(n_timepoints: int, n_cases: int, reach: tuple[int, int], inputs: int, outputs: int) -> Transform:
    """The cheapest transform for a dense convolution: a pure function of shapes.

    Parameters
    ----------
    n_timepoints, n_cases : int
        Shape of a batch.
    reach : tuple of int
        Steps that the widest kernel sees to the left and to the right.
    inputs, outputs : int
        Channels.
    """
    left, right = reach
    single = good_size(n_timepoints + max(left, right))
    whole = Transform(n_timepoints, left, right, single, 1)
    candidates = [whole] if single <= LONGEST_SINGLE else []
    sizes = [size for size in BLOCK_SIZES if 2 * (left + right) <= size < single]
    for size in sizes or ([] if candidates else [good_size(4 * (left + right))]):
        blocks = -(-n_timepoints // (size - left - right))
        if blocks > 1:
            candidates.append(Transform(n_timepoints, left, right, size, blocks))
    # a kernel of hundreds of taps on a series that is not much longer fits into no two blocks
    return min(candidates or [whole], key=lambda transform: cost(transform, n_cases, inputs, outputs))


def cost(transform: Transform, n_cases: int, inputs: int, outputs: int) -> float:
    """Nanoseconds of a dense convolution, forward and backward, on one thread of a core with AVX-512.

    Measured: 4 a sample for transforms and copies, 0.16 a sample and pair of channels for the three products, 4 a point and pair
    of channels for the kernels' own transforms.
    """
    columns = n_cases * transform.blocks
    pairs = inputs * outputs
    return transform.size * (columns * (4 * (inputs + outputs) + 0.16 * pairs) + 4 * pairs)
