"""Objectives: named losses of a batch. The training loop uses no other part of a method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.backbones.base import Network


class Batch(NamedTuple):
    """Some training cases."""

    x: Tensor
    """(batch, n_channels, n_timepoints)"""
    y: Tensor
    """(batch,) class indices"""
    index: Tensor  # type: ignore[assignment]  # hides tuple.index
    """(batch,) positions in the training cases, for looking up outputs that a frozen teacher computed once."""


class ExtraMemory(NamedTuple):
    """Memory that a training needs on the device besides its network, for estimates."""

    second_halves: int = 0
    """Second halves of a frozen network of the same backbone that a step computes."""
    series_per_case: int = 0
    """Further series of each training case."""


class Objective(ABC):
    """The losses that a training minimises.

    Attributes
    ----------
    trainable : nn.Module or None
        A module that is trained with the network and dropped afterwards, such as a map between embeddings of different size.
    optimisers : sequence of Optimizer
        Further optimisers of parameters of `trainable`, which the training's own optimiser leaves alone; see `after_step`.
    observed : dict of str to Tensor
        Detached scalars of the last batch; their means over each epoch become curves.
    streams : sequence of Generator
        The random streams that `losses` draws from, apart from those of the network's dropout sites. Captured steps and checkpoints
        need them.
    step_cost : float or None
        Cost of a step, in steps of a plain training of the backbone; None: that of the trained network, times `series_per_case`.
    series_per_case : int
        Series that a step uses for each case of a batch; 2 if an augmentation accompanies each case.
    extra_memory : ExtraMemory
    resumable : bool
        Whether an interrupted training can continue: `losses` depends on nothing but the network, `trainable`, `optimisers`,
        `streams`, and what `prepare` computes again. A class declares it for itself, not for its subclasses.
    """

    step_cost: float | None = None
    series_per_case: int = 1
    extra_memory: ExtraMemory = ExtraMemory()
    resumable: ClassVar[bool] = False
    trainable: nn.Module | None = None
    optimisers: Sequence[torch.optim.Optimizer] = ()
    streams: Sequence[torch.Generator] = ()

    def __init__(self) -> None:
        self.observed: dict[str, Tensor] = {}

    def prepare(self, x: Tensor) -> None:  # noqa: B027 (most objectives have nothing to prepare)
        """Prepare for training; called once with all training series (n_cases, n_channels, n_timepoints) on the device."""

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """Return what `prepare` computed, such as teacher outputs. A checkpoint is used only if these tensors are the same."""
        return ()

    def after_step(self, network: Network, batch: Batch) -> None:  # noqa: B027 (most objectives have one optimiser)
        """Step `optimisers`; called after every step of the network."""

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:  # noqa: B027 (most objectives are the same in every epoch)
        """Start an epoch (from 1); called when the network `modules` is in train mode."""

    @abstractmethod
    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return named scalar losses of one batch, already weighted; their sum is minimised."""


class CrossEntropy(Objective):
    """Mean cross-entropy of the logits; `smoothing` is the probability mass that is spread evenly over all classes."""

    resumable = True

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy as "ce"."""
        return {"ce": functional.cross_entropy(network(batch.x).logits, batch.y, label_smoothing=self.smoothing)}


def softened_kl(target: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """Return T**2 KL(target || softmax(logits / T)), the mean over cases.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network". The gradient of the divergence shrinks like 1 / T**2; the
    factor makes its weight independent of T. A mean over cases and classes would be n_classes times smaller.

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
