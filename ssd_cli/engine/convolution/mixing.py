"""Small matrices for convolutions with fewer multiplications: samples and taps are mixed, multiplied pairwise, and mixed back.

A direct convolution with k taps needs k multiplications per output. A discrete Fourier transform of n points turns a circular
convolution into one complex product per frequency. This is three real products (Karatsuba and Ofman 1962), so 1.5 n in total. With
many channels each product is a matrix product, and mixing costs little in comparison. For a few dozen points, mixing by matrices is
as fast as a fast transform. It also keeps the data in the order of the next product.

All roots of unity have size one, so rounding errors are those of a transform. Algorithms with even fewer products (Winograd 1980)
evaluate polynomials at other points and lose digits.

A convolution is ``output[t] = sum_k samples[t + first + k] taps[k]``, with positions of samples modulo `size`. It equals
``mix_back(size, n_outputs) @ ((mix_samples(size, n_samples) @ samples) * (mix_taps(size, taps, first) @ taps))``. Samples after
`n_samples` are zeros. A frequency that is its own conjugate has one row of products. Every other frequency has three: real part,
imaginary part, and their sum. All matrices are computed in float64.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


def n_products(size: int) -> int:
    """Return how many products a circular convolution of `size` points takes."""
    n_real = min(size, 2 - size % 2)
    return n_real + 3 * (size - n_real) // 2


@lru_cache(maxsize=256)
def mix_samples(size: int, n_samples: int, dtype: torch.dtype) -> Tensor:
    """Return the matrix for samples, (n_products, n_samples)."""
    return _rows(torch.arange(n_samples), size, sign=-1).to(dtype)


@lru_cache(maxsize=256)
def mix_taps(size: int, taps: int, first: int, dtype: torch.dtype) -> Tensor:
    """Return the matrix for taps, (n_products, taps); `first` is the offset of the first one."""
    return _rows(torch.arange(taps) + first, size, sign=1).to(dtype)


@lru_cache(maxsize=256)
def mix_back(size: int, n_outputs: int, dtype: torch.dtype) -> Tensor:
    """Return the matrix from products to outputs, (n_outputs, n_products). The first column is 1 / size (the mean).

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
