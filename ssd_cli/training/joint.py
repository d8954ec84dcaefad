"""Networks of one architecture that are trained in one batched step."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch

from ssd_cli.engine.batched import Member, train_together
from ssd_cli.engine.footprint import members_at_once, training_bytes
from ssd_cli.engine.graphs import Captured
from ssd_cli.engine.precision import forward_context
from ssd_cli.training.ledger import Entry, Progress
from ssd_cli.training.loop import explaining_single_values
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.spec import TrainingSpec

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@dataclass(frozen=True)
class Trainee:
    """A network that is to be trained with the plain objective.

    Parameters
    ----------
    bench : Workbench
        Whose random streams it uses.
    spec : TrainingSpec
    """

    bench: Workbench
    spec: TrainingSpec


def train_jointly(trainees: Sequence[Trainee]) -> list[Entry]:
    """Train networks in one batched step; its seconds are shared equally among their entries.

    Their training sets have the same shape, their schedules the same epochs and batch size.
    """
    bench, first_spec = trainees[0].bench, trainees[0].spec
    schedule, n_cases = first_spec.schedule, first_spec.cases.n_cases
    of_part = {id(one.spec.cases): one for one in trainees}
    first = {part: row * n_cases for row, part in enumerate(of_part)}
    tensors = [one.bench.tensors(one.spec.cases) for one in of_part.values()]
    x, y = tensors[0] if len(tensors) == 1 else map(torch.cat, zip(*tensors, strict=True))
    members = []
    for one in trainees:
        spec = one.spec
        one.bench.seed_sites(spec.network, spec.purpose, spec.index)
        order = one.bench.rng(f"{spec.purpose} order", spec.index, "cpu")
        smoothing = cast(CrossEntropy, spec.objective).smoothing
        members.append(Member(spec.network, spec.schedule, order, smoothing, first[id(spec.cases)]))
    indices = f"{first_spec.index} to {trainees[-1].spec.index}" if len(trainees) > 1 else f"{first_spec.index}"
    label = f"{first_spec.purpose} {indices}"
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
            execute=(lambda step: Captured(step, x.device)) if bench.execution.batching == "graph" else (lambda step: step),
            context=forward_context(bench.device, bench.recipe.precision),
        )
    seconds, cpu_seconds = (time.perf_counter() - wall) / len(members), (time.process_time() - processor) / len(members)
    steps = schedule.stop * math.ceil(n_cases / schedule.batch_size)
    entries = []
    for one, curve in zip(trainees, curves, strict=True):
        for site in one.spec.network.sites():
            site.generator = None
        entries.append(Entry(f"{one.spec.purpose} {one.spec.index}", schedule.stop, steps, n_cases, seconds, cpu_seconds, curve))
    return entries


def at_once(bench: Workbench, part: TrainingSet, n_networks: int) -> int:
    """How many networks are trained in one pass."""
    _, n_channels, n_timepoints = part.X.shape
    batch_size = bench.recipe.batch(part.n_cases)
    return members_at_once(n_networks, training_bytes(bench.backbone, n_channels, n_timepoints, part.n_classes, batch_size))
