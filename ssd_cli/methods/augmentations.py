"""Augmented series: mixtures of two cases of a class, with window warping and noise."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 0.1
"""Share of the time steps whose speed a warp changes."""


def augment(x: Tensor, y: Tensor, n: int, jitter: float, random: torch.Generator) -> Tensor:
    """Return n augmentations of each case: mixed with a case of its class, warped, with noise.

    Parameters
    ----------
    x : Tensor, shape (n_cases, n_channels, n_timepoints)
        Prepared series. Steps after the end of a series are NaN and remain NaN.
    y : Tensor of int, shape (n_cases,)
        Class indices.
    jitter : float
        Standard deviation of the noise, in units of the series.
    random : torch.Generator
        On the CPU, so that the series are the same on all devices.

    Returns
    -------
    Tensor, shape (n_cases, n, n_channels, n_timepoints)
    """
    series, labels = x.cpu(), y.cpu()
    augmented = series.new_empty(len(x), n, *x.shape[1:])
    for number in range(n):
        one = warp(mix(series, labels, random), random)
        augmented[:, number] = one + jitter * torch.randn(one.shape, generator=random, dtype=one.dtype)
    return augmented.to(x.device)


def mix(x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
    """Return convex combinations with a random case of the same class, possibly the same case.

    The weight of the other case is uniform in .3 to .7, and 0 after the end of its series.
    """
    other = torch.empty_like(y)
    for label in y.unique():
        (cases,) = torch.where(y == label)
        other[cases] = cases[torch.randint(len(cases), (len(cases),), generator=random)]
    weight = 0.3 + 0.4 * torch.rand((len(x), 1, 1), generator=random, dtype=x.dtype)
    return x + weight * (x[other] - x).nan_to_num(nan=0.0)


def warp(x: Tensor, random: torch.Generator) -> Tensor:
    """Double or halve the speed in a window of a tenth of each series, and interpolate linearly to the old length.

    Le Guennec et al. 2016, "Data augmentation for time series classification using convolutional neural networks" (window warping).
    """
    last = ((~x[:, :1].isnan()).sum(-1) - 1).clamp(min=0).to(x.dtype)  # (n_cases, 1): position of the last valid step
    window = WINDOW * last
    start = torch.rand((len(x), 1), generator=random, dtype=x.dtype) * (last - window)
    factor = torch.where(torch.rand((len(x), 1), generator=random) < 0.5, 0.5, 2.0).to(x.dtype)
    stretch = (last + window * (factor - 1)) / last.clamp(min=1)
    position = torch.arange(x.shape[-1], dtype=x.dtype) * stretch  # (n_cases, n_timepoints), in the stretched series
    inside, after = start + (position - start) / factor, position - window * (factor - 1)
    source = torch.where(position < start, position, torch.where(position < start + window * factor, inside, after))
    source = torch.minimum(source.clamp(min=0), last)
    before = source.floor().long()
    following = torch.minimum(before + 1, last.long())
    share = (source - before)[:, None]
    at, then = (x.gather(-1, index[:, None].expand(x.shape)) for index in (before, following))
    return torch.where(x.isnan(), x, at + share * (then - at))
