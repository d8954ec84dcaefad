"""A method is its objective: a batch in, named losses out. The loop knows nothing else."""

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
    index: Tensor  # type: ignore[assignment]  # shadows tuple.index, which nobody needs here
    """(batch,) positions in the training set, so that what a frozen teacher says of a case can be looked up."""


class ExtraMemory(NamedTuple):
    """What a training keeps on the device beside its network, for estimates."""

    second_halves: int = 0
    """Second halves of a frozen network of the same backbone that a step computes."""
    series_per_case: int = 0
    """Further series of each training case."""


class Objective(ABC):
    """What a network is trained to minimise.

    Attributes
    ----------
    trainable : nn.Module or None
        A module that is trained beside the network and dropped afterwards (a map between embeddings of different size).
    optimisers : sequence of Optimizer
        Further optimisers of parameters of `trainable`, which the training's own optimiser leaves alone; see `after_step`.
    observed : dict of str to Tensor
        Scalars of the last batch worth a curve, detached; the loop averages them over each epoch.
    streams : sequence of Generator
        The random streams that `losses` draws from, other than those of the trained network's dropout sites: a captured step has
        to know them.
    step_cost : float or None
        Cost of a step, in steps of a plain training of the backbone; None: that of the trained network, times `series_per_case`.
    series_per_case : int
        Series that a step takes for each case of a batch; 2 where an augmentation accompanies each case.
    extra_memory : ExtraMemory
    resumable : bool
        Whether a training that was cut off may go on: all that `losses` depends on is the network, `trainable` and `streams`, and
        what the same teachers and `prepare` give again. Holds for this class, not for its subclasses (`checkpoint.resumable`).
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
        """Called once before training with all training series (n_cases, n_channels, n_timepoints) on the device."""

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """Return what `prepare` computed, such as teacher outputs. A checkpoint is used only if these tensors are the same."""
        return ()

    def after_step(self, network: Network, batch: Batch) -> None:  # noqa: B027 (most objectives have one optimiser)
        """Called after every step of the network, to step `optimisers`."""

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:  # noqa: B027 (most objectives are the same in every epoch)
        """Called at the start of every epoch (from 1), after the network `modules` has been put into train mode."""

    @abstractmethod
    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Named scalar losses of one batch, already weighted; their sum is minimised."""


class CrossEntropy(Objective):
    """Mean cross-entropy of the logits, with optional label smoothing.

    Parameters
    ----------
    smoothing : float
        Probability mass that is spread evenly over all classes.
    """

    resumable = True

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy under the name "ce"."""
        return {"ce": functional.cross_entropy(network(batch.x).logits, batch.y, label_smoothing=self.smoothing)}
