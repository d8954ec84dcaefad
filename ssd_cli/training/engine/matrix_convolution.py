"""Convolutions of short series without gradients: transforms as matrix products, in the order in which they are needed.

A transform of a few dozen points is a small matrix. As a product with it, the transform costs more operations than a fast one, and
none of the copies between (channels, cases, bins) and (bins, channels, cases).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ssd_cli.training.engine.kernels import KernelSpectrum, reach
from ssd_cli.training.engine.transform import Transform


class MatrixConvolution:
    """Convolutions of the same maps by kernels of several lengths, padding "same", for series of one length.

    Parameters
    ----------
    kernels : sequence of Tensor
        Each (filters, inputs, taps). They are transformed here and now; later changes have no effect.
    bias : Tensor, shape (filters of all kernels,)
    n_timepoints : int
    """

    def __init__(self, kernels: Sequence[Tensor], bias: Tensor, n_timepoints: int) -> None:
        left, right = (max(ends) for ends in zip(*(reach(kernel.shape[-1]) for kernel in kernels), strict=True))
        size = n_timepoints + max(left, right)  # no good size is needed, but an even one
        transform = Transform(n_timepoints, left, right, size + size % 2, 1)
        self._forward, self._back = _matrices(transform.size, n_timepoints, bias.dtype)
        spectrum = KernelSpectrum.apply(transform, 1, *kernels)
        real, imaginary = spectrum.real, spectrum.imag
        # (bins, 2 filters, 2 inputs): a product of complex numbers as one of real ones, on real parts and imaginary parts.
        self._kernel = torch.cat([torch.cat([real, -imaginary], 2), torch.cat([imaginary, real], 2)], 1)
        self._constant = transform.size * bias[:, None]

    def __call__(self, maps: Tensor, out: Tensor) -> None:
        """Write what maps (inputs, n_cases, n_timepoints) give to `out` (filters, n_cases, n_timepoints), contiguous."""
        inputs, n_cases, n_timepoints = maps.shape
        filters = len(out)
        spectrum = self._forward @ maps.view(-1, n_timepoints).t()
        product = torch.bmm(self._kernel, spectrum.view(-1, 2 * inputs, n_cases))
        product[0, :filters] += self._constant
        torch.mm(product.view(-1, filters * n_cases).t(), self._back, out=out.view(-1, n_timepoints))


@lru_cache(maxsize=64)
def _matrices(size: int, n_timepoints: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The transform of a real series, zeros behind its end, and its inverse: each (2 bins, n_timepoints).

    Rows are the real and the imaginary part of bin 0, of bin 1, and so on.
    """
    bins = size // 2 + 1
    steps = torch.fft.rfft(torch.eye(n_timepoints, dtype=torch.float64), size)
    forward = torch.view_as_real(steps).permute(1, 2, 0).reshape(2 * bins, n_timepoints)
    parts = torch.view_as_complex(torch.eye(2 * bins, dtype=torch.float64).view(2 * bins, bins, 2))
    back = torch.fft.irfft(parts, size)[:, :n_timepoints]
    return forward.to(dtype), back.to(dtype).contiguous()
