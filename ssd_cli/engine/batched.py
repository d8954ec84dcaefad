"""The training loop of several networks at once. Each sees what it would see alone; only sums are rounded in another order.

Against separate training in float64, weights, statistics and curves agree within a relative 1e-9 after a few epochs; in float32
outputs agree within 1e-3 after two epochs, and drift apart as any two orders of summation do. Biases of convolutions before a batch
norm are left out of this: their gradient is zero but for rounding, and nothing depends on them.

It is made for a GPU: a small step leaves a device idle, and members fill it. On an H100 a step of five members took 0.4 to 0.5 of
the time of five steps on batches of up to 1536 values (cases times steps), and 1.0 to 1.15 of it from 7500 on, which occupy the
device alone (`benchmarks/speed.py gpu`). On a CPU it does not pay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import Network
from ssd_cli.engine.stack import Stack, StackedStep
from ssd_cli.training.adam import Adam
from ssd_cli.training.loop import Curve, Schedule, end_epoch, rates_of
from ssd_cli.training.step import Steps


@dataclass(frozen=True)
class Member:
    """One of several networks that are trained together.

    Parameters
    ----------
    network : Network
    schedule : Schedule
        May differ between members but for `stop` and `batch_size`.
    order : torch.Generator
        On the CPU; draws its batch order.
    smoothing : float
        Label smoothing of its cross-entropy.
    first : int
        Where its training cases begin.
    """

    network: Network
    schedule: Schedule
    order: torch.Generator
    smoothing: float = 0.0
    first: int = 0


def train_together(
    members: Sequence[Member],
    x: Tensor,
    y: Tensor,
    n_cases: int | None = None,
    *,
    on_epoch: Callable[[int, float], None] | None = None,
    execute: Callable[[StackedStep], Steps] = lambda step: step,
    context: Callable[[], AbstractContextManager] = nullcontext,
) -> list[Curve]:
    """Train networks in place with the plain objective, all in one batched step; leave them in eval mode.

    Parameters
    ----------
    members : sequence of Member
    x, y, on_epoch, execute
        As for `loop.train`; `on_epoch` is told the mean loss of all members.
    n_cases : int, optional
        Training cases of each member, where x and y hold several training sets of this size, one behind the other.
    context : callable, optional
        Makes the context of forward passes (`precision.forward_context`).

    Returns
    -------
    list of dict
        The curve of each member.

    Raises
    ------
    ValueError
        The members' epochs or batches differ.

    Notes
    -----
    A member whose loss becomes infinite or NaN does not stop the others; `loop.refuse_diverged` tells from its curve.
    """
    n_cases = len(y) if n_cases is None else n_cases
    schedules = [member.schedule for member in members]
    stop, size = schedules[0].stop, schedules[0].batch_size
    if any((schedule.stop, schedule.batch_size) != (stop, size) for schedule in schedules):
        raise ValueError("networks that are trained together need the same number of epochs and cases in a batch")
    stack = Stack([member.network for member in members])
    stacked = StackedStep(stack, x, y, [member.smoothing for member in members], context)
    step = execute(stacked)
    courses = [_Course(schedule) for schedule in schedules]
    best = _Best(stack, [schedule.keep == "best" for schedule in schedules])
    curves: list[Curve] = [{"loss": [], "learning_rate": [], "ce": []} for _ in members]
    for epoch in range(1, stop + 1):
        stacked.optimiser.rates.copy_(torch.tensor([[course.rate] for course in courses], dtype=stacked.optimiser.rates.dtype))
        step.begin_epoch()
        orders = torch.stack([member.first + torch.randperm(n_cases, generator=member.order) for member in members]).to(x.device)
        for index in orders.split(size, 1):
            step(index)
        best.look(step.sums["ce"])
        losses = [total / n_cases for total in step.sums["ce"].tolist()]  # the only point of an epoch that waits for the device
        for curve, course, loss in zip(curves, courses, losses, strict=True):
            curve["learning_rate"].append(course.rate)
            curve["loss"].append(loss)
            curve["ce"].append(loss)
            course.follow(loss)
        if on_epoch is not None:
            on_epoch(epoch, sum(losses) / len(losses))
        if not any(map(math.isfinite, losses)):
            break
    best.write()
    return curves


class _Course:
    """The learning rate of one member: the loop's own schedule, on an optimiser that moves nothing."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._optimiser = Adam([nn.Parameter(torch.zeros(()))], lr=schedule.learning_rate)
        self._rates = rates_of(self._optimiser, schedule)
        self._optimiser.step()

    @property
    def rate(self) -> float:
        return float(self._optimiser.param_groups[0]["lr"])

    def follow(self, loss: float) -> None:
        end_epoch(self._rates, self.schedule, loss)


class _Best:
    """What each member keeps: its weights at its own best epoch, or its last. Decided on the device."""

    def __init__(self, stack: Stack, wanted: Sequence[bool]) -> None:
        self._stack = stack
        self._wanted = torch.tensor(list(wanted), device=stack.weights.device) if any(wanted) else None
        self._totals = torch.full_like(stack.weights[:, 0], math.inf, requires_grad=False)
        self._kept: dict[str, Tensor] = {}

    @torch.no_grad()
    def look(self, totals: Tensor) -> None:
        """After an epoch: keep the rows whose loss is strictly lower than ever."""
        if self._wanted is None:
            return
        better = totals < self._totals
        self._totals = torch.where(better, totals, self._totals)
        now = {"": self._stack.weights, **self._stack.buffers}
        self._kept = {name: _rows(better, value, self._kept.get(name, value)) for name, value in now.items()}

    @torch.no_grad()
    def write(self) -> None:
        """Give the networks what they keep."""
        now = {"": self._stack.weights, **self._stack.buffers}
        if self._wanted is not None:
            now = {name: _rows(self._wanted, self._kept[name], value) for name, value in now.items()}
        self._stack.write(now.pop(""), now)


def _rows(choice: Tensor, chosen: Tensor, other: Tensor) -> Tensor:
    return torch.where(choice.view(-1, *(1,) * (chosen.ndim - 1)), chosen, other)
