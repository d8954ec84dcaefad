"""Convolutions with fewer multiplications: samples and taps are mixed, multiplied pairwise, and mixed back, each by a small matrix.

An output of a convolution with k taps costs k multiplications. A discrete Fourier transform of n points makes of a whole circular
convolution one product of complex numbers a frequency, and that is three products of real ones (Karatsuba and Ofman 1962): 1.5 n in
all. With many channels each of them is a product of matrices, and the mixing is little beside it. For a few dozen points matrices
are as quick as a fast transform, and data stay in the order in which the next product wants them.

All roots of unity have size one, so rounding errors are those of a transform. Algorithms with fewer products still (Winograd 1980)
evaluate polynomials at other points and lose digits.

A convolution is ``output[t] = sum_k samples[t + first + k] taps[k]``, samples counted modulo `size`, and equals
``mix_back(size, n_outputs) @ ((mix_samples(size, n_samples) @ samples) * (mix_taps(size, taps, first) @ taps))``. Samples beyond
`n_samples` are zeros. The rows of the products are: for a frequency that is its own conjugate, one; for each other one the real
part, the imaginary part, and their sum. All matrices are computed in float64.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


def n_products(size: int) -> int:
    """How many products a circular convolution of `size` points takes."""
    n_real = min(size, 2 - size % 2)
    return n_real + 3 * (size - n_real) // 2


@lru_cache(maxsize=256)
def mix_samples(size: int, n_samples: int, dtype: torch.dtype) -> Tensor:
    """The matrix for samples, (n_products, n_samples)."""
    return _rows(torch.arange(n_samples), size, sign=-1).to(dtype)


@lru_cache(maxsize=256)
def mix_taps(size: int, taps: int, first: int, dtype: torch.dtype) -> Tensor:
    """The matrix for taps, the first of which stands at the offset `first`: (n_products, taps)."""
    return _rows(torch.arange(taps) + first, size, sign=1).to(dtype)


@lru_cache(maxsize=256)
def mix_back(size: int, n_outputs: int, dtype: torch.dtype) -> Tensor:
    """The matrix from products to outputs, (n_outputs, n_products). Its first column is 1 / size: a constant is the first product.

    With products a, b, c of real parts, imaginary parts and sums, the product of the complex numbers is (a - b) + (c - a - b) i.
    """
    columns = []
    for frequency in range(size // 2 + 1):
        angles = torch.arange(n_outputs, dtype=torch.float64) * (2 * math.pi * frequency / size)
        if _is_real(frequency, size):
            columns.append(angles.cos() / size)
        else:
            cosine, sine = 2 * angles.cos() / size, 2 * angles.sin() / size
            columns += [cosine + sine, sine - cosine, -sine]
    return torch.stack(columns, 1).to(dtype).contiguous()


def _rows(positions: Tensor, size: int, sign: int) -> Tensor:
    rows = []
    for frequency in range(size // 2 + 1):
        angles = positions.double() * (2 * math.pi * frequency / size)
        real, imaginary = angles.cos(), sign * angles.sin()
        rows += [real] if _is_real(frequency, size) else [real, imaginary, real + imaginary]
    return torch.stack(rows)


def _is_real(frequency: int, size: int) -> bool:
    return 2 * frequency in (0, size)
