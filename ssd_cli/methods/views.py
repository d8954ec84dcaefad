"""Further series of the same kind, without labels of their own: mixtures within a class, warped and jittered.

Methods that use them say so: beside methods that do not, augmentation is a confounder.
"""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 0.1
"""Share of the steps that a warp makes faster or slower."""


def views_of(x: Tensor, y: Tensor, n_views: int, jitter: float, random: torch.Generator) -> Tensor:
    """Views of every case: mixed with another case of its class, warped, jittered.

    Parameters
    ----------
    x : Tensor, shape (n_cases, n_channels, n_timepoints)
        Prepared series. Steps after the end of a series are NaN, and stay so.
    y : Tensor of int, shape (n_cases,)
        Class indices.
    n_views : int
    jitter : float
        Standard deviation of the noise, in units of the series.
    random : torch.Generator
        On the CPU; the views are the same on every device.

    Returns
    -------
    Tensor, shape (n_cases, n_views, n_channels, n_timepoints)
    """
    series, labels = x.cpu(), y.cpu()
    made = series.new_empty(len(x), n_views, *x.shape[1:])
    for number in range(n_views):
        view = warp(mix(series, labels, random), random)
        made[:, number] = view + jitter * torch.randn(view.shape, generator=random, dtype=view.dtype)
    return made.to(x.device)


def mix(x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
    """Convex combination with a case of the same class, by chance the case itself; weight of the other uniform in .3 to .7.

    Where the other series has ended the case is left as it is.
    """
    other = torch.empty_like(y)
    for label in y.unique():
        (cases,) = torch.where(y == label)
        other[cases] = cases[torch.randint(len(cases), (len(cases),), generator=random)]
    weight = 0.3 + 0.4 * torch.rand((len(x), 1, 1), generator=random, dtype=x.dtype)
    return x + weight * (x[other] - x).nan_to_num(nan=0.0)


def warp(x: Tensor, random: torch.Generator) -> Tensor:
    """Make a window of a tenth of each series twice as fast or slow, and bring the whole back to its length, linearly interpolated.

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
