"""Run trainings of one network, or of several in one step, and return the cost of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch

from ssd_cli.engine.batching.graphs import Captured, TrainingStep
from ssd_cli.engine.batching.stack import Stack
from ssd_cli.engine.footprint import networks_at_once, training_bytes
from ssd_cli.engine.precision import autocasting, forward_context
from ssd_cli.errors import SsdBenchError
from ssd_cli.training.checkpoint import Checkpointer, Curve, resumable
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.ledger import LedgerEntry, Progress
from ssd_cli.training.loop import explaining_single_values, refuse_diverged, train
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.seeds import global_streams
from ssd_cli.training.spec import TrainingSpec
from ssd_cli.training.stacked import StackedStep
from ssd_cli.training.step import DeviceStep, Step
from ssd_cli.training.stopwatch import Spent, Stopwatch


def run(context: TrainingContext, spec: TrainingSpec, key: str) -> LedgerEntry:
    """Train a network in place and return its costs; an interrupted training continues from the checkpoint under `key`."""
    checkpointer = Checkpointer(context.checkpoints, key, context.device)

    def on_epoch(epoch: int, loss: float) -> None:
        checkpointer.stopwatch.tick()
        context.on_epoch(Progress(spec.label, epoch, spec.schedule.stop, loss, checkpointer.resumed))

    try:
        with _streams(context, [spec]):
            x, _ = context.tensors(spec.cases)
            spec.objective.prepare(x)
            with global_streams(spec.seeds.sub_seed(f"{spec.purpose} torch", spec.index), context.device):
                step = _step(context, spec)
                kept = isinstance(step, Step) and resumable(spec)
                (curve,) = train([spec], step, on_epoch=on_epoch, checkpointer=checkpointer if kept else None)
        refuse_diverged(curve, spec.schedule)
    except SsdBenchError:  # a resumed training would fail again
        checkpointer.discard()
        raise
    context.ledger.resumed += checkpointer.before
    return _entry(spec, spec.label, checkpointer.spent, curve)


def run_jointly(context: TrainingContext, specs: Sequence[TrainingSpec]) -> list[LedgerEntry]:
    """Train networks with the plain objective in one step; its seconds are shared equally among their entries.

    The specs may belong to other cells than `context`; their cases have the same shape, their schedules the same epochs and batch
    size. A diverged network raises no error here; call `loop.refuse_diverged` with the curve of its entry.
    """
    label, first, stopwatch = _joint_label(specs), specs[0], Stopwatch(context.device)

    def on_epoch(epoch: int, loss: float) -> None:
        stopwatch.tick()
        context.on_epoch(Progress(label, epoch, first.schedule.stop, loss))

    with _streams(context, specs):
        curves = train(specs, _stacked_step(context, specs), on_epoch=on_epoch)
    share = stopwatch.read() * (1 / len(specs))
    return [_entry(spec, f"{spec.purpose} {spec.index}", share, curve) for spec, curve in zip(specs, curves, strict=True)]


def run_all(context: TrainingContext, specs: Sequence[TrainingSpec], joint: bool) -> None:
    """Run trainings of one cell and add them to its ledger: in steps that fit into the device's memory, or separately."""
    plain = all(type(spec.objective) is CrossEntropy and spec.averager is None for spec in specs)
    if not (joint and plain and context.joint):
        for spec in specs:
            context.ledger.add(run(context, spec, context.next_key()))
        return
    size = joint_size(context, specs[0], len(specs))
    for start in range(0, len(specs), size):
        group = specs[start : start + size]
        for spec, entry in zip(group, run_jointly(context, group), strict=True):
            refuse_diverged(entry.curve, spec.schedule)
            context.ledger.add(entry)


def joint_size(context: TrainingContext, spec: TrainingSpec, n_networks: int) -> int:
    """Return how many of these networks are trained in one step."""
    _, n_channels, n_timepoints = spec.cases.X.shape
    needed = training_bytes(context.backbone, n_channels, n_timepoints, spec.cases.n_classes, spec.schedule.batch_size)
    return networks_at_once(n_networks, needed)


def _step(context: TrainingContext, spec: TrainingSpec) -> TrainingStep:
    """Return the step of one network, captured if the execution captures steps and the objective has no further optimisers."""
    x, y = context.tensors(spec.cases)
    view = autocasting(context.bind(spec.network), context.device, context.recipe.precision)
    if context.captures and not spec.objective.optimisers:
        return Captured(DeviceStep(spec.network, spec.objective, x, y, view))
    return Step(spec.network, spec.objective, x, y, view)


def _stacked_step(context: TrainingContext, specs: Sequence[TrainingSpec]) -> TrainingStep:
    """Return the step of several networks. Its data contain each training set once."""
    n_cases = specs[0].cases.n_cases
    parts = {id(spec.cases): spec.cases for spec in specs}
    first = {part: row * n_cases for row, part in enumerate(parts)}
    tensors = [context.tensors(cases) for cases in parts.values()]
    x, y = tensors[0] if len(tensors) == 1 else map(torch.cat, zip(*tensors, strict=True))
    step = StackedStep(
        Stack([spec.network for spec in specs]),
        x,
        y,
        [cast(CrossEntropy, spec.objective).smoothing for spec in specs],
        [first[id(spec.cases)] for spec in specs],
        forward_context(context.device, context.recipe.precision),
    )
    return Captured(step) if context.captures else step


@contextmanager
def _streams(context: TrainingContext, specs: Sequence[TrainingSpec]) -> Iterator[None]:
    """Assign the random streams of each training to the network's dropout sites, and remove them afterwards."""
    for spec in specs:
        sites = spec.network.sites()
        for site, name in zip(sites, ("mid", "embed", *map(str, range(2, len(sites)))), strict=True):
            site.generator = spec.seeds.stream(f"{spec.purpose} dropout {name}", spec.index, context.device)
    with explaining_single_values(specs[0].cases.n_cases, specs[0].schedule.batch_size):
        yield
    for spec in specs:
        for site in spec.network.sites():
            site.generator = None


def _joint_label(specs: Sequence[TrainingSpec]) -> str:
    first, last = specs[0], specs[-1]
    label = f"{first.purpose} {first.index} to {last.index}" if len(specs) > 1 else f"{first.purpose} {first.index}"
    return f"{len(specs)} networks, {label}" if any(spec.seeds != first.seeds for spec in specs) else label


def _entry(spec: TrainingSpec, label: str, spent: Spent, curve: Curve) -> LedgerEntry:
    schedule, n_cases = spec.schedule, spec.cases.n_cases
    steps = schedule.stop * math.ceil(n_cases / schedule.batch_size)
    return LedgerEntry(label, schedule.stop, steps, n_cases, spent.seconds, spent.cpu_seconds, spent.wall_seconds, curve)
