"""Select among N representations of each case: score, filter, and weight them.

Aslam et al. 2025, "Learning from Stochastic Teacher Representations Using Student-Guided Knowledge Distillation", as released in
haseebaslam95/SSD. Each function states where it deviates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ssd_cli.configuration import require

Guide = Literal["student", "random", "label"]


@dataclass(frozen=True)
class Guidance:
    """How representations are ranked, filtered and weighted; the parameters are those of `SSD`."""

    guidance: Guide = "student"
    scale: Literal["raw", "sqrtd", "cosine"] = "raw"
    temperature: Literal["inf"] | float = 5.0
    weighting: Literal["softmax", "uniform"] = "softmax"
    keep: Literal["quantile", "topk"] = "quantile"
    quantile: float = 0.9
    top_k: int = 10
    detach_attention: bool = False

    def __post_init__(self) -> None:
        require(self.tau > 0, f"temperature must be above 0, not {self.temperature}")
        require(0 <= self.quantile <= 1, f"quantile must lie between 0 and 1, not {self.quantile}")
        require(self.top_k >= 1, f"top_k must be at least 1, not {self.top_k}")
        has_weights = self.guidance != "random" or self.weighting == "uniform"
        require(has_weights, "guidance=random has no scores to weight by: add weighting=uniform")

    @property
    def tau(self) -> float:
        """The temperature as a number."""
        return float(self.temperature)

    def in_use(self, n: int, selects: bool) -> dict[str, bool]:
        """Return which parameters have an effect with n representations; `selects`: a loss depends on the selected ones."""
        kept = self.top_k if self.keep == "topk" else n_kept(n, self.quantile)
        filters = selects and kept < n
        softmax = selects and kept > 1 and self.weighting == "softmax"
        unequal = softmax and self.tau < math.inf
        by_student = self.guidance == "student"
        return {
            "guidance": filters or unequal,
            "scale": by_student and (unequal or (filters and self.scale == "cosine")),  # the other scales rank alike
            "keep": selects,
            "quantile": selects and self.keep == "quantile",
            "top_k": selects and self.keep == "topk",
            "weighting": selects and (kept > 1 or self.guidance == "random"),  # guidance=random requires weighting=uniform
            "temperature": softmax,
            "detach_attention": by_student and unequal,  # equal weights have no gradient
        }

    def weights(self, scores: Tensor) -> Tensor:
        """Return the weight of each representation from its score, both (n_cases, N); only the softmax has a gradient."""
        ranked = scores.detach()
        keep = keep_top(ranked, self.top_k) if self.keep == "topk" else keep_quantile(ranked, self.quantile)
        return attention_weights(scores, keep, self.tau if self.weighting == "softmax" else None)


def similarity(embedding: Tensor, representations: Tensor, scale: str = "raw") -> Tensor:
    """Return scores (n_cases, N) of representations (n_cases, N, size) for the student's embedding (n_cases, size).

    `scale` is "raw" (dot product, released), "sqrtd" (divided by sqrt(size)) or "cosine" (divided by both norms).
    """
    if scale == "cosine":
        return functional.cosine_similarity(embedding.unsqueeze(1), representations, dim=-1)
    products = torch.einsum("bd,bnd->bn", embedding, representations)
    return products / math.sqrt(embedding.shape[-1]) if scale == "sqrtd" else products


def n_kept(n: int, quantile: float) -> int:
    """Return how many of n distinct scores are at or above their quantile (linear interpolation): n - ceil(quantile (n - 1))."""
    return n - math.ceil(quantile * (n - 1) - 1e-9)  # in floating point .07 * 100 is slightly above 7


def keep_quantile(scores: Tensor, quantile: float) -> Tensor:
    """Return a mask (n_cases, N) of the scores at or above their case's quantile, including ties with the lowest of them.

    The released code ranks the softmax, which underflows to ties at zero. This function ranks the scores. The threshold is the k-th
    largest score instead of an interpolated value: it selects the same scores, also among ties, without rounding.
    """
    n = scores.shape[1]
    threshold = scores.kthvalue(n - n_kept(n, quantile) + 1, dim=1, keepdim=True).values
    return scores >= threshold


def keep_top(scores: Tensor, k: int) -> Tensor:
    """Return a mask (n_cases, N) of the k largest scores of each case; ties go to the lower index."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, order[:, :k], True)


def attention_weights(scores: Tensor, keep: Tensor, temperature: float | None) -> Tensor:
    """Return weights (n_cases, N): 0 where `keep` is False, sum 1 for each case. Each case keeps at least one representation.

    The weights are softmax(scores / temperature) over the kept representations, or equal without a temperature. They equal the
    softmax over all N, filtered and normalised again as in the release (not in the paper's formula), but do not underflow.
    """
    if temperature is None:
        return keep / keep.sum(1, keepdim=True).to(scores.dtype)
    return (scores / temperature).masked_fill(~keep, -math.inf).softmax(1)


def relative_entropy(scores: Tensor, temperature: float) -> Tensor:
    """Return the mean entropy of the softmax over all N scores, relative to log N: 1 is flat, 0 is one-hot."""
    logarithms = (scores / temperature).log_softmax(1)
    return -(logarithms.exp() * logarithms).sum(1).mean() / math.log(scores.shape[1])
