"""Losses that several methods share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def softened_kl(target: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """T**2 KL(target || softmax(logits / T)), mean over cases (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").

    The gradient of the divergence shrinks like 1 / T**2; the factor keeps its weight independent of T. The mean is over cases, not
    over cases and classes, which would be n_classes times smaller.

    Parameters
    ----------
    target : Tensor, shape (n_cases, n_classes)
        Probabilities at the same temperature.
    logits : Tensor, shape (n_cases, n_classes)
    temperature : float
    """
    target = target.clamp_min(torch.finfo(target.dtype).tiny)  # a probability that underflowed has no logarithm
    divergence = target * (target.log() - functional.log_softmax(logits / temperature, -1))
    return temperature**2 * divergence.sum(-1).mean()
