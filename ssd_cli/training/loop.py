"""The one training loop. It reads top to bottom: order, batches, losses, a step, the epoch's end."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, ReduceLROnPlateau

from ssd_cli.backbones.base import Network
from ssd_cli.errors import SsdBenchError
from ssd_cli.training.adam import Adam
from ssd_cli.training.checkpoint import Checkpointer, TrainingState
from ssd_cli.training.objective import Objective
from ssd_cli.training.step import Step, Steps

Curve = dict[str, list[float]]
Keep = Literal["best", "last"]
Shape = Literal["plateau", "cosine", "constant"]
LearningRateMultiplier = Callable[[float], float]
"""A learning rate after so many epochs, fractions included, as a share of the first one."""


class Averager(Protocol):
    """Watches the weights while they are trained (weight averaging).

    Attributes
    ----------
    state : dict of str to Tensor
        The average.
    n_averaged : int
        Sets of weights in it.

    Notes
    -----
    A class may say ``resumable = True`` where these two are all that it knows: then a training that was cut off goes on.
    """

    state: dict[str, Tensor]
    n_averaged: int

    def after_step(self, network: nn.Module) -> None:
        """Called after every optimiser step."""

    def after_epoch(self, network: nn.Module) -> None:
        """Called at the end of every epoch."""


@dataclass(frozen=True)
class Schedule:
    """The resolved plan of one training.

    Parameters
    ----------
    epochs : int
        Length of the learning-rate schedule.
    stop : int
        Epochs that are really trained, at most `epochs`.
    learning_rate : float
    shape : {"plateau", "cosine", "constant"}
    keep : {"best", "last"}
    batch_size : int
    lr_multiplier : callable, optional
        Replaces `shape`: followed step by step, where a shape moves once an epoch.
    """

    epochs: int
    stop: int
    learning_rate: float
    shape: Shape
    keep: Keep
    batch_size: int
    lr_multiplier: LearningRateMultiplier | None = None

    def identity(self) -> dict[str, Any]:
        """Return the part of a network's key; a shared network has no learning-rate multiplier ("course" in stored keys)."""
        return {("course" if name == "lr_multiplier" else name): value for name, value in vars(self).items()}


def train(
    network: Network,
    x: Tensor,
    y: Tensor,
    objective: Objective,
    schedule: Schedule,
    order: torch.Generator,
    *,
    modules: nn.Module | None = None,
    averager: Averager | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
    execute: Callable[[Step], Steps] = lambda step: step,
    checkpointer: Checkpointer | None = None,
) -> Curve:
    """Train a network in place and leave it in eval mode.

    Parameters
    ----------
    network : Network
        What the objective calls: the network, or a faster execution that shares its parameters.
    x, y : Tensor
        All training cases, (n_cases, n_channels, n_timepoints) and (n_cases,), on the network's device.
    objective : Objective
    schedule : Schedule
    order : torch.Generator
        On the CPU; draws the batch order and nothing else.
    modules : nn.Module, optional
        The network that owns parameters and buffers, where `network` is another execution of it.
    averager : Averager, optional
    on_epoch : callable, optional
        Called with the epoch (from 1) and its mean loss; first of all with the last one before the training was cut off.
    execute : callable, optional
        Takes a step and returns another execution of it (`engine.graphs.Captured`).
    checkpointer : Checkpointer, optional
        Lets a training that was cut off go on; not with captured steps, which keep what an optimiser knows elsewhere.

    Returns
    -------
    dict of str to list of float
        Per epoch: "loss" (mean over cases in train mode), "learning_rate" (of its first step), each named loss, and what the
        objective observed.

    Raises
    ------
    SsdBenchError
        The loss is not a finite number; says at which epoch.
    """
    modules = network if modules is None else modules
    parameters = [*modules.parameters(), *(objective.trainable.parameters() if objective.trainable else ())]
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    optimiser = Adam(parameters, lr=schedule.learning_rate, eps=1e-7, fused=True)
    rates = rates_of(optimiser, schedule, steps_per_epoch=math.ceil(len(y) / schedule.batch_size))
    plain = Step(network, x, y, objective, optimiser)
    state = TrainingState(modules, objective.trainable, optimiser, rates, [order, *plain.generators], averager)
    if checkpointer is not None:
        checkpointer.resume(state, objective.fingerprint_inputs())
    step, curve = execute(plain), state.curve
    if state.epoch and on_epoch is not None:
        on_epoch(state.epoch, curve["loss"][-1])  # where it goes on; an epoch may take minutes
    for epoch in range(state.epoch + 1, schedule.stop + 1):
        modules.train()  # every epoch anew: whatever looked at the network in between may have left it in eval mode
        objective.begin_epoch(epoch, modules)
        step.begin_epoch()
        curve["learning_rate"].append(optimiser.param_groups[0]["lr"])
        for index in _batches(len(y), schedule.batch_size, order, x.device):
            step(index)
            if averager is not None:
                averager.after_step(modules)
            if schedule.lr_multiplier is not None:
                rates.step()
                step.follow_rate()
        totals = torch.stack(list(step.sums.values())).tolist()  # the only point of an epoch that waits for the device
        for name, total in zip(step.sums, totals, strict=True):
            curve.setdefault(name, []).append(total / len(y))
        mean_loss = finite(curve["loss"][-1], epoch, schedule)
        if averager is not None:
            averager.after_epoch(modules)
        if schedule.keep == "best" and mean_loss < state.best:
            state.best, state.kept = mean_loss, copy.deepcopy(modules.state_dict())
        end_epoch(rates, schedule, mean_loss)
        state.epoch = epoch
        if checkpointer is not None:
            checkpointer.after_epoch(state, schedule.stop)
        if on_epoch is not None:
            on_epoch(epoch, mean_loss)
    if state.kept is not None:
        modules.load_state_dict(state.kept)
    modules.eval()
    return curve


def end_epoch(rates: LRScheduler | ReduceLROnPlateau, schedule: Schedule, mean_loss: float) -> None:
    """Move the learning rate on by an epoch; a learning-rate multiplier has moved step by step."""
    if isinstance(rates, ReduceLROnPlateau):
        rates.step(mean_loss)
    elif schedule.lr_multiplier is None:
        rates.step()


def finite(loss: float, epoch: int, schedule: Schedule) -> float:
    """Return the mean loss of an epoch; refuse one that is not a finite number."""
    if not math.isfinite(loss):
        raise SsdBenchError(
            f"The training loss became {loss} at epoch {epoch} of {schedule.epochs}.",
            "Expected a finite number.",
            "Look at the series for extreme values, or lower the recipe's learning_rate.",
        )
    return loss


def refuse_diverged(curve: Curve, schedule: Schedule) -> None:
    """Raise what `train` raises where the mean loss of an epoch is not a finite number."""
    for epoch, loss in enumerate(curve["loss"], start=1):
        finite(loss, epoch, schedule)


@contextmanager
def explaining_single_values(n_cases: int, batch_size: int) -> Iterator[None]:
    """Say in words what batch normalisation refuses: a batch of one case of one step, as the last of an epoch may be.

    Whether a network has such layers, and what they are given, only the network knows: hence after the fact.
    """
    try:
        yield
    except ValueError as error:
        if not str(error).startswith("Expected more than 1 value per channel"):  # torch's words, and the engine's
            raise
        raise SsdBenchError(
            f"{n_cases} training cases in batches of {batch_size} leave a batch with one value of each channel.",
            "Batch normalisation needs two or more: series of several steps, or several cases in every batch.",
            "Give the recipe another batch_size or batch_divisor.",
        ) from error


def _batches(n_cases: int, size: int, order: torch.Generator, device: torch.device) -> Iterator[Tensor]:
    """The positions of all cases once, in a fresh order; the last batch may be short."""
    yield from torch.randperm(n_cases, generator=order).to(device).split(size)


def rates_of(optimiser: torch.optim.Optimizer, schedule: Schedule, steps_per_epoch: int = 1) -> LRScheduler | ReduceLROnPlateau:
    """The learning rate over the epochs; over the steps where the schedule has a learning-rate multiplier."""
    lr_multiplier = schedule.lr_multiplier
    if lr_multiplier is not None:
        return LambdaLR(optimiser, lambda step: lr_multiplier(step / steps_per_epoch))
    if schedule.shape == "plateau":
        # Keras lowers the rate on the 50th epoch without improvement, torch when more than `patience` have passed: hence 49.
        return ReduceLROnPlateau(optimiser, factor=0.5, patience=49, threshold=1e-4, threshold_mode="abs", min_lr=1e-4)
    if schedule.shape == "cosine":
        return CosineAnnealingLR(optimiser, T_max=schedule.epochs)
    return LambdaLR(optimiser, lambda epoch: 1.0)
