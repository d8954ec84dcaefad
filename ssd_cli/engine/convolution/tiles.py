"""Convolutions of maps (n_cases, n_timepoints, channels), padding "same", over tiles of the series with fewer multiplications.

A series is cut into overlapping tiles of about thirty steps. `mixing` turns them into a few dozen matrix products, (tiles, inputs)
times (inputs, filters). Channels stay contiguous; all other dimensions are strides of the multiplied matrices. A few cases are
computed at a time, so that intermediate results stay in a core's cache if a case fits into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.engine.convolution.mixing import mix_back, mix_samples, mix_taps, n_products

TILES_AT_ONCE = 128
"""Tiles computed together, or those of one case if it has more. 64 take up to 1.15 times as long, 256 about the same
(results/speed/xeon/tiles.txt)."""
READ_WRITE = 10
"""Number of multiplications in a matrix product that takes as long as writing and reading one number."""
MAX_RELATIVE_COST = 0.75
"""Tiles are used up to this `cost`, as a share of a direct convolution's multiplications. At this cost they take 0.8 to 0.9 of the
direct time, and at 0.45 half of it."""


@dataclass(frozen=True)
class Tiling:
    """The tiles of series of one length for kernels of one length."""

    n_timepoints: int
    taps: int
    tiles: int
    """Tiles of a series. A single tile is the whole series with its padding."""

    @property
    def n_outputs(self) -> int:
        """Outputs of a tile."""
        return self.n_timepoints if self.tiles == 1 else -(-(self.n_timepoints + self.taps - 1) // self.tiles)

    @property
    def n_samples(self) -> int:
        """Samples of a tile."""
        return self.n_outputs + self.taps - 1

    @property
    def length(self) -> int:
        """Number of outputs of all tiles of a series."""
        return self.tiles * self.n_outputs

    @property
    def start(self) -> int:
        """The first output that is kept: the last tile includes the start of the next series, which must be zeros."""
        return 0 if self.tiles == 1 else padding_around(self.taps)[1]

    def matrices(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Return the matrices of `mixing` for samples, for taps and back; outputs that wrap around are left out."""
        size = self.n_samples
        return mix_samples(size, size, dtype), mix_taps(size, self.taps, 0, dtype), mix_back(size, self.n_outputs, dtype)

    def cases_at_once(self, n_cases: int) -> int:
        """Return how many cases are computed at a time, in turns of nearly equal size."""
        n_turns = -(-n_cases * self.tiles // TILES_AT_ONCE)
        return -(-n_cases // n_turns)

    def cut(self, maps: Tensor) -> Tensor:
        """Pad maps (n_cases, n_timepoints, channels) and return tiles (n_cases * tiles, n_samples, channels)."""
        n_cases, n_timepoints, channels = maps.shape
        first = padding_around(self.taps)[0] + self.start
        rows = self.n_samples if self.tiles == 1 else self.length
        padded = maps.new_empty(n_cases * rows + self.n_samples - self.n_outputs, channels)
        padded[n_cases * rows :] = 0
        series = padded[: n_cases * rows].view(n_cases, rows, channels)
        series[:, :first] = 0
        series[:, first : first + n_timepoints] = maps
        series[:, first + n_timepoints :] = 0
        apart = rows if self.tiles == 1 else self.n_outputs
        return padded.as_strided((n_cases * self.tiles, self.n_samples, channels), (apart * channels, channels, 1))

    def paste(self, gradient: Tensor) -> Tensor:
        """Return the gradient of the argument of `cut`: overlapping tiles are added."""
        series = gradient
        if self.tiles > 1:
            series = gradient[:, : self.n_outputs].contiguous()
            series[1:, : self.taps - 1] += gradient[:-1, self.n_outputs :]
            series = series.view(-1, self.length, gradient.shape[2])
        first = padding_around(self.taps)[0] + self.start
        return series[:, first : first + self.n_timepoints]

    def outputs(self, tiles: Tensor) -> Tensor:
        """Return outputs (n_cases * tiles, n_outputs, filters) as maps (n_cases, n_timepoints, filters)."""
        return tiles.view(-1, self.length, tiles.shape[2])[:, self.start : self.start + self.n_timepoints]

    def gradient_tiles(self, gradient: Tensor) -> Tensor:
        """Return the gradient of the argument of `outputs`."""
        if self.length > self.n_timepoints:
            gradient = F.pad(gradient, (0, 0, self.start, self.length - self.n_timepoints - self.start))
        return gradient.reshape(-1, self.n_outputs, gradient.shape[2])


@lru_cache(maxsize=1024)
def tiling_for(n_cases: int, n_timepoints: int, taps: int, inputs: int, filters: int) -> Tiling | None:
    """Return the cheapest tiling of a batch, or None where a direct convolution is cheaper: a pure function of shapes."""
    most = max(1, n_timepoints // max(taps, 8))
    tilings = [Tiling(n_timepoints, taps, tiles) for tiles in range(1, most + 1)]
    best = min(tilings, key=lambda tiling: cost(tiling, n_cases, inputs, filters))
    direct = 3 * n_cases * n_timepoints * taps * inputs * filters
    return best if cost(best, n_cases, inputs, filters) < MAX_RELATIVE_COST * direct else None


def cost(tiling: Tiling, n_cases: int, inputs: int, filters: int) -> float:
    """Return the cost of the three convolutions of a training step, in multiplications.

    Fitted to measurements of one core with AVX-512 (results/speed/xeon/tiles.txt): the chosen tiling takes at most a tenth longer
    than the best one.
    """
    products = n_products(tiling.n_samples)
    mixed = tiling.n_samples * inputs + tiling.n_outputs * filters + 2 * READ_WRITE * (inputs + filters)
    kernels = products * inputs * filters * (2 * tiling.taps + 5 * READ_WRITE)
    return 3 * n_cases * tiling.tiles * products * (mixed + inputs * filters) + kernels


def by_tiles(maps: Tensor, kernel: Tensor, bias: Tensor, tiling: Tiling) -> Tensor:
    """Convolve maps (n_cases, n_timepoints, inputs) with a kernel (filters, inputs, taps): (n_cases, n_timepoints, filters)."""
    keep = torch.is_grad_enabled() and kernel.requires_grad
    result: Tensor = _TiledConvolution.apply(maps.contiguous(), kernel, bias, tiling, keep)
    return result


class _TiledConvolution(Function):
    """Mix, multiply, mix back; the gradients use the transposed matrices."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: Tensor, bias: Tensor, tiling: Tiling, keep: bool) -> Tensor:
        filters, inputs, taps = kernel.shape
        of_samples, of_taps, back = tiling.matrices(maps.dtype)
        mixed_kernel = (of_taps @ kernel.permute(2, 1, 0).reshape(taps, -1)).view(-1, inputs, filters)
        result = maps.new_empty(*maps.shape[:2], filters)
        kept = []
        size = tiling.cases_at_once(len(maps))
        for some, out in zip(maps.split(size), result.split(size), strict=True):
            mixed = _mix(of_samples, tiling.cut(some))
            product = torch.bmm(mixed.transpose(0, 1), mixed_kernel)
            product[0] += bias / back[0, 0]
            out.copy_(tiling.outputs(_mix(back, product.transpose(0, 1))))
            if keep:
                kept.append(mixed)
        ctx.save_for_backward(mixed_kernel, *kept)
        ctx.tiling = tiling
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        mixed_kernel, *kept = ctx.saved_tensors
        tiling: Tiling = ctx.tiling
        of_samples, of_taps, back = tiling.matrices(gradient.dtype)
        _, inputs, filters = mixed_kernel.shape
        of_maps = gradient.new_empty(*gradient.shape[:2], inputs) if ctx.needs_input_grad[0] else None
        of_kernel = torch.zeros_like(mixed_kernel) if ctx.needs_input_grad[1] else None
        of_bias = gradient.new_zeros(filters)
        size = tiling.cases_at_once(len(gradient))
        for turn, some in enumerate(gradient.split(size)):
            mixed = _mix(back.t(), tiling.gradient_tiles(some)).transpose(0, 1)
            of_bias += mixed[0].sum(0)
            if of_kernel is not None:
                of_kernel.baddbmm_(kept[turn].permute(1, 2, 0), mixed)
            if of_maps is not None:
                samples = torch.bmm(mixed, mixed_kernel.transpose(1, 2)).transpose(0, 1)
                of_maps[turn * size : (turn + 1) * size] = tiling.paste(_mix(of_samples.t(), samples))
        if of_kernel is not None:
            of_kernel = (of_taps.t() @ of_kernel.view(len(of_kernel), -1)).view(-1, inputs, filters).permute(2, 1, 0)
        return of_maps, of_kernel, of_bias / back[0, 0], None, None


def _mix(matrix: Tensor, tiles: Tensor) -> Tensor:
    """Multiply every tile (rows, channels) with the matrix from the left."""
    return torch.bmm(matrix.expand(len(tiles), *matrix.shape), tiles)
