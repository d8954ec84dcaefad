"""Networks of one architecture that are trained in one batched step."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from ssd_cli.backbones.base import Network
from ssd_cli.engine.batched import Member, train_together
from ssd_cli.engine.footprint import members_at_once, training_bytes
from ssd_cli.engine.graphs import Captured
from ssd_cli.engine.planner import BATCHES_MEMBERS, CAPTURES
from ssd_cli.engine.precision import forward_context
from ssd_cli.training.ledger import Entry, Progress
from ssd_cli.training.loop import explaining_single_values, refuse_diverged
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.loop import Schedule
    from ssd_cli.training.workbench import Workbench


@dataclass(frozen=True)
class Trainee:
    """A network that is to be trained with the plain objective.

    Parameters
    ----------
    bench : Workbench
        Whose random streams it uses.
    network : Network
        Trained in place.
    part : TrainingSet
    schedule : Schedule
    purpose, index : str, int
        Name its random streams.
    smoothing : float
        Label smoothing.
    """

    bench: Workbench
    network: Network
    part: TrainingSet
    schedule: Schedule
    purpose: str
    index: int
    smoothing: float = 0.0


def train_pass(trainees: Sequence[Trainee]) -> list[Entry]:
    """Train networks in one batched step; its seconds are shared equally among their entries.

    Their training sets have the same shape, their schedules the same epochs and batch size.
    """
    bench, schedule, n_cases = trainees[0].bench, trainees[0].schedule, trainees[0].part.n_cases
    of_part = {id(one.part): one for one in trainees}
    first = {part: row * n_cases for row, part in enumerate(of_part)}
    tensors = [one.bench.tensors(one.part) for one in of_part.values()]
    x, y = tensors[0] if len(tensors) == 1 else map(torch.cat, zip(*tensors, strict=True))
    members = []
    for one in trainees:
        one.bench.seed_sites(one.network, one.purpose, one.index)
        order = one.bench.rng(f"{one.purpose} order", one.index, "cpu")
        members.append(Member(one.network, one.schedule, order, one.smoothing, first[id(one.part)]))
    indices = f"{trainees[0].index} to {trainees[-1].index}" if len(trainees) > 1 else f"{trainees[0].index}"
    label = f"{trainees[0].purpose} {indices}"
    if any(one.bench is not bench for one in trainees):
        label = f"{len(trainees)} networks, {label}"
    wall, processor = time.perf_counter(), time.process_time()
    with explaining_single_values(n_cases, schedule.batch_size):
        curves = train_together(
            members,
            x,
            y,
            n_cases,
            on_epoch=lambda epoch, loss: bench.on_epoch(Progress(label, epoch, schedule.stop, loss)),
            execute=(lambda step: Captured(step, x.device)) if bench.execution in CAPTURES else (lambda step: step),
            context=forward_context(bench.device, bench.recipe.precision),
        )
    seconds, cpu_seconds = (time.perf_counter() - wall) / len(members), (time.process_time() - processor) / len(members)
    steps = schedule.stop * math.ceil(n_cases / schedule.batch_size)
    entries = []
    for one, curve in zip(trainees, curves, strict=True):
        for site in one.network.sites():
            site.generator = None
        entries.append(Entry(f"{one.purpose} {one.index}", schedule.stop, steps, n_cases, seconds, cpu_seconds, curve))
    return entries


def at_once(bench: Workbench, part: TrainingSet, n_networks: int) -> int:
    """How many networks are trained in one pass."""
    _, n_channels, n_timepoints = part.X.shape
    batch_size = bench.recipe.batch(part.n_cases)
    return members_at_once(n_networks, training_bytes(bench.backbone, n_channels, n_timepoints, part.n_classes, batch_size))


@dataclass(frozen=True)
class Branch:
    """A training of this cell alone, with the plain objective, that may share a pass with its like.

    Parameters
    ----------
    network : Network
        Trained in place.
    index : int
        Names its random streams.
    learning_rate, smoothing : float
        Its own.
    """

    network: Network
    index: int
    learning_rate: float
    smoothing: float = 0.0


def train_branches(bench: Workbench, branches: Sequence[Branch], *, epochs: int, holdout: bool, purpose: str) -> list[Network]:
    """Train networks of one architecture: one by one by `Workbench.train`, or in passes where the execution batches members."""
    if bench.execution not in BATCHES_MEMBERS:
        for one in branches:
            objective, label = CrossEntropy(one.smoothing), f"{purpose} {one.index}"
            options: Any = {"epochs": epochs, "learning_rate": one.learning_rate, "holdout": holdout}
            bench.train(one.network, objective, **options, purpose=purpose, index=one.index, label=label)
        return [one.network for one in branches]
    part = bench.training_part() if holdout else bench.training_set
    schedule = bench.schedule(part, epochs)
    trainees = [
        Trainee(bench, one.network, part, replace(schedule, learning_rate=one.learning_rate), purpose, one.index, one.smoothing)
        for one in branches
    ]
    size = at_once(bench, part, len(trainees))
    for start in range(0, len(trainees), size):
        for entry in train_pass(trainees[start : start + size]):
            refuse_diverged(entry.curve, schedule)
            bench.ledger.add(entry)
    return [one.network for one in branches]
