"""The schedule of a training: its length, and its learning rate over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, ReduceLROnPlateau

from ssd_cli.training.adam import Adam
from ssd_cli.training.recipe import Keep, Shape

LearningRateMultiplier = Callable[[float], float]
"""Function from a number of epochs, which may be fractional, to a factor of the first learning rate."""


@dataclass(frozen=True)
class Schedule:
    """Length, learning rate and batch size of one training.

    `epochs` is the length of the learning-rate schedule, and `stop` the number of epochs that are trained. The learning rate starts
    at `learning_rate`, and changes once an epoch by `shape`, or after every step by `lr_multiplier`.
    """

    epochs: int
    stop: int
    learning_rate: float
    shape: Shape
    keep: Keep
    batch_size: int
    lr_multiplier: LearningRateMultiplier | None = None

    def identity(self) -> dict[str, Any]:
        """Return this part of a shared network's key, where the multiplier is called "course" and is always None."""
        return {("course" if name == "lr_multiplier" else name): value for name, value in vars(self).items()}


class LearningRate:
    """The learning rate of one network.

    torch's schedulers need an optimiser. They get one without gradients, so that each network of a step has a learning rate.
    """

    def __init__(self, schedule: Schedule, steps_per_epoch: int) -> None:
        self._optimiser = Adam([nn.Parameter(torch.zeros(()))], lr=schedule.learning_rate)
        self._scheduler = _scheduler(self._optimiser, schedule, steps_per_epoch)
        self._optimiser.step()  # a scheduler warns if it is moved before its optimiser
        self.stepwise = schedule.lr_multiplier is not None
        """Whether it changes after every step instead of every epoch."""

    @property
    def value(self) -> float:
        """The current learning rate."""
        return float(self._optimiser.param_groups[0]["lr"])

    def after_step(self) -> float:
        """Advance by one step, and return the learning rate."""
        if self.stepwise:
            self._scheduler.step()
        return self.value

    def after_epoch(self, mean_loss: float) -> None:
        """Advance by one epoch."""
        if isinstance(self._scheduler, ReduceLROnPlateau):
            self._scheduler.step(mean_loss)
        elif not self.stepwise:
            self._scheduler.step()

    def state(self) -> dict[str, Any]:
        """Return the scheduler's state as plain JSON values."""
        return self._scheduler.state_dict()

    def restore(self, value: float, state: dict[str, Any]) -> None:
        """Restore a saved value and state."""
        self._optimiser.param_groups[0]["lr"] = value
        self._scheduler.load_state_dict(state)


def _scheduler(optimiser: Adam, schedule: Schedule, steps_per_epoch: int) -> LRScheduler | ReduceLROnPlateau:
    multiplier = schedule.lr_multiplier
    if multiplier is not None:
        return LambdaLR(optimiser, lambda step: multiplier(step / steps_per_epoch))
    if schedule.shape == "plateau":
        # Keras lowers the rate on the 50th epoch without improvement, torch after more than `patience` such epochs: 49 is equal.
        return ReduceLROnPlateau(optimiser, factor=0.5, patience=49, threshold=1e-4, threshold_mode="abs", min_lr=1e-4)
    if schedule.shape == "cosine":
        return CosineAnnealingLR(optimiser, T_max=schedule.epochs)
    return LambdaLR(optimiser, lambda epoch: 1.0)
