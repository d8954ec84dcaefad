"""The training loop, for one network and for several in one step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ssd_cli.engine.batching.graphs import TrainingStep
from ssd_cli.errors import SsdBenchError
from ssd_cli.training.checkpoint import Checkpointer, Curve, TrainingState
from ssd_cli.training.schedule import LearningRate, Schedule
from ssd_cli.training.spec import TrainingSpec


def train(
    specs: Sequence[TrainingSpec],
    step: TrainingStep,
    *,
    on_epoch: Callable[[int, float], object] = lambda epoch, loss: None,
    checkpointer: Checkpointer | None = None,
) -> list[Curve]:
    """Train the networks of `specs`, which `step` updates on one batch, leave them in eval mode, and return the curve of each.

    A curve holds for each epoch "loss" (mean over cases in train mode) and "learning_rate" (of the first step). It also holds each
    named loss and the objective's `observed` values. A loss that is not finite does not stop other networks (`refuse_diverged`).

    Parameters
    ----------
    on_epoch : callable
        Called with the epoch (from 1) and the mean loss over the networks; first with the last epoch before an interruption.
    checkpointer : Checkpointer, optional
        For the uncaptured step of a single network.
    """
    schedule, n_cases = specs[0].schedule, specs[0].cases.n_cases
    if any((spec.schedule.stop, spec.schedule.batch_size) != (schedule.stop, schedule.batch_size) for spec in specs):
        raise ValueError("networks that are trained in one step need the same number of epochs and the same batch size")
    orders = [spec.seeds.stream(f"{spec.purpose} order", spec.index) for spec in specs]
    rates = [LearningRate(spec.schedule, math.ceil(n_cases / schedule.batch_size)) for spec in specs]
    averaged = [(spec.averager, spec.network) for spec in specs if spec.averager is not None]
    stepwise = any(rate.stepwise for rate in rates)
    state = TrainingState(step, orders, rates, [averager for averager, _ in averaged])
    if checkpointer is not None:
        checkpointer.resume(state)
    if state.epoch:
        on_epoch(state.epoch, state.curves[0]["loss"][-1])  # show the resumed epoch now: the next one may take minutes

    for epoch in range(state.epoch + 1, schedule.stop + 1):
        step.begin_epoch(epoch)
        step.set_learning_rates([rate.value for rate in rates])
        for curve, rate in zip(state.curves, rates, strict=True):
            curve["learning_rate"].append(rate.value)

        for index in _batches(orders, n_cases, schedule.batch_size, step.device):
            step(index)
            for averager, network in averaged:
                averager.after_step(network)
            if stepwise:
                step.set_learning_rates([rate.after_step() for rate in rates])

        losses = _record(state.curves, step.totals(), n_cases)  # the only point of an epoch that waits for the device
        if not any(map(math.isfinite, losses)):  # keep no weights of this epoch; `refuse_diverged` raises later
            break
        for averager, network in averaged:
            averager.after_epoch(network)
        state.keep_best(losses, [spec.schedule.keep == "best" for spec in specs])
        for rate, loss in zip(rates, losses, strict=True):
            rate.after_epoch(loss)
        state.epoch = epoch
        if checkpointer is not None:
            checkpointer.after_epoch(state, schedule.stop)
        on_epoch(epoch, sum(losses) / len(losses))

    step.finish(state.kept)
    return state.curves


def _batches(orders: Sequence[torch.Generator], n_cases: int, size: int, device: torch.device) -> Iterator[Tensor]:
    """Yield the positions of all cases once, (n_networks, batch), in a new order for each network; the last batch may be short."""
    yield from torch.stack([torch.randperm(n_cases, generator=order) for order in orders]).to(device).split(size, 1)


def _record(curves: Sequence[Curve], totals: Sequence[dict[str, float]], n_cases: int) -> list[float]:
    """Append the means of an epoch to the curves, and return the losses."""
    for curve, of_network in zip(curves, totals, strict=True):
        for name, total in of_network.items():
            curve.setdefault(name, []).append(total / n_cases)
    return [curve["loss"][-1] for curve in curves]


def refuse_diverged(curve: Curve, schedule: Schedule) -> None:
    """Raise SsdBenchError where the mean loss of an epoch is not a finite number."""
    for epoch, loss in enumerate(curve["loss"], start=1):
        if not math.isfinite(loss):
            raise SsdBenchError(
                f"The training loss became {loss} at epoch {epoch} of {schedule.stop}.",
                "Expected a finite number.",
                "Check the series for extreme values, or lower the recipe's learning_rate.",
            )


@contextmanager
def explaining_single_values(n_cases: int, batch_size: int) -> Iterator[None]:
    """Explain torch's error about batch normalisation of a single value: a batch of one case of one time point."""
    try:
        yield
    except ValueError as error:
        if not str(error).startswith("Expected more than 1 value per channel"):  # the text that torch and the engine raise
            raise
        raise SsdBenchError(
            f"With {n_cases} training cases and a batch size of {batch_size}, one batch has a single value per channel.",
            "Batch normalisation needs at least two: longer series, or more cases in every batch.",
            "Change the recipe's batch_size or batch_divisor.",
        ) from error
