"""How a student chooses among N representations of each case: similarity, filter, weights. Pure functions on batches.

Aslam et al. 2025, "Learning from Stochastic Teacher Representations Using Student-Guided Knowledge Distillation", as released in
haseebaslam95/SSD; deviations are named where they occur.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def similarity(embedding: Tensor, representations: Tensor, scale: str = "raw") -> Tensor:
    """Scores of the representations of each case.

    Parameters
    ----------
    embedding : Tensor, shape (n_cases, size)
        The student's.
    representations : Tensor, shape (n_cases, N, size)
    scale : {"raw", "sqrtd", "cosine"}
        Dot product as it is (released), divided by sqrt(size), or by both norms.

    Returns
    -------
    Tensor, shape (n_cases, N)
    """
    if scale == "cosine":
        return functional.cosine_similarity(embedding.unsqueeze(1), representations, dim=-1)
    products = torch.einsum("bd,bnd->bn", embedding, representations)
    return products / math.sqrt(embedding.shape[-1]) if scale == "sqrtd" else products


def survivors(n: int, quantile: float) -> int:
    """How many of n distinct scores reach their quantile (linear interpolation): n - ceil(quantile (n - 1)), at least 1."""
    return n - math.ceil(quantile * (n - 1) - 1e-9)  # .07 * 100, a little above 7 in floating point, is 7


def keep_quantile(scores: Tensor, quantile: float) -> Tensor:
    """Mask (n_cases, N) of the scores at or above their case's quantile; all that tie with the last survivor survive.

    The scores are ranked themselves rather than their softmax, as the released code does: it underflows to ties at zero. The k-th
    largest score replaces the interpolated threshold: it selects the same scores, also among ties, without its rounding.
    """
    n = scores.shape[1]
    threshold = scores.kthvalue(n - survivors(n, quantile) + 1, dim=1, keepdim=True).values
    return scores >= threshold


def keep_top(scores: Tensor, k: int) -> Tensor:
    """Mask (n_cases, N) of the k largest scores of each case; ties go to the lower index."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, order[:, :k], True)


def attend(scores: Tensor, keep: Tensor, temperature: float | None) -> Tensor:
    """Weights (n_cases, N) of the representations that are kept: 0 elsewhere, sum 1.

    Parameters
    ----------
    scores : Tensor, shape (n_cases, N)
    keep : Tensor of bool, shape (n_cases, N)
        At least one of each case.
    temperature : float or None
        Softmax of scores / temperature over what is kept, which is the softmax over all, filtered and normalised again (as
        released; the paper's formula shows no second normalisation), without its underflow; None: equal weights.
    """
    if temperature is None:
        return keep / keep.sum(1, keepdim=True).to(scores.dtype)
    return (scores / temperature).masked_fill(~keep, -math.inf).softmax(1)


def relative_entropy(scores: Tensor, temperature: float) -> Tensor:
    """Mean entropy of the softmax over all N scores, before any filter, relative to log N: 1 is flat, 0 is one-hot."""
    logarithms = (scores / temperature).log_softmax(1)
    return -(logarithms.exp() * logarithms).sum(1).mean() / math.log(scores.shape[1])
