"""Members of an ensemble, trained one by one or in one pass, each under a key of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from ssd_cli import PROTOCOL_VERSION
from ssd_cli.backbones.base import Dropout, Network
from ssd_cli.configuration import digest
from ssd_cli.training.engine.batched import Member, train_together
from ssd_cli.training.engine.footprint import members_at_once, training_bytes
from ssd_cli.training.engine.graphs import Captured
from ssd_cli.training.engine.planner import BATCHES_MEMBERS, CAPTURES
from ssd_cli.training.engine.precision import forward_context
from ssd_cli.training.ledger import Entry, Progress
from ssd_cli.training.networks import Arrays, Networks, load_arrays, state_to_arrays
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.loop import Schedule
    from ssd_cli.training.workbench import Workbench

Trained = tuple[Mapping[str, npt.NDArray], dict[str, Any], bool]


def member_key(
    bench: Workbench, part: TrainingSet, schedule: Schedule, index: int, dropout: Dropout, together: Sequence[int] = ()
) -> str:
    """The content address of a member: a digest of all that decides its weights.

    Parameters
    ----------
    bench : Workbench
    part : TrainingSet
    schedule : Schedule
    index : int
    dropout : Dropout
    together : sequence of int
        Who is trained in the same pass; empty where it is trained alone. How many there are may change how a device adds.
    """
    identity: dict[str, Any] = {
        "family": "member",
        "training_set": part.digest,
        "dataset": part.dataset,
        "resample": part.resample,
        "seed": bench.seed,
        "index": index,
        "backbone": bench.backbone_identity,
        "dropout": {"embed": dropout.embed, "mid": dropout.mid},
        "recipe": vars(bench.recipe),
        "schedule": vars(schedule),
        "execution": bench.execution,
        "device": bench.device,
        "threads": torch.get_num_threads(),
        "protocol_version": PROTOCOL_VERSION,
    }
    return digest(identity | {"together": list(together)} if together else identity)


def train_members(bench: Workbench, indices: Sequence[int], dropout: Dropout) -> list[Network]:
    """Members in passes that fit into a device's memory; see `Workbench.members`."""
    size = _at_once(bench, bench.training_set, len(indices))
    if size == 1:
        return [bench.member(index, dropout) for index in indices]
    passes = [indices[start : start + size] for start in range(0, len(indices), size)]
    return [network for together in passes for network in _one_pass(bench, together, dropout)]


def obtain_all(
    networks: Networks, keys: Sequence[str], train: Callable[[], Sequence[tuple[Arrays, dict[str, Any]]]]
) -> list[Trained]:
    """`Networks.obtain` for networks that come out of one training, which happens at most once.

    All keys are claimed, one inside the other and always in the same order, before the training starts: whoever asks for the same
    networks meanwhile waits at the first of them.
    """
    made: list[tuple[Arrays, dict[str, Any]]] = []
    found: dict[int, Trained] = {}

    def ask(position: int) -> None:
        if position == len(keys):
            return

        def make() -> tuple[Arrays, dict[str, Any]]:
            ask(position + 1)
            if not made:
                made.extend(train())
            return made[position]

        found[position] = networks.obtain(keys[position], make)
        if position + 1 not in found:
            ask(position + 1)

    ask(0)
    return [found[position] for position in range(len(keys))]


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
    members = [
        Member(one.network, replace(schedule, learning_rate=one.learning_rate), _order(bench, purpose, one.index), one.smoothing)
        for one in branches
    ]
    size = _at_once(bench, part, len(members))
    for start in range(0, len(members), size):
        indices = [one.index for one in branches[start : start + size]]
        for entry in _train(bench, members[start : start + size], indices, part, purpose):
            bench.ledger.add(entry)
    return [one.network for one in branches]


def _at_once(bench: Workbench, part: TrainingSet, n_members: int) -> int:
    """How many networks are trained in one pass."""
    _, n_channels, n_timepoints = part.X.shape
    batch_size = bench.recipe.batch(part.n_cases)
    return members_at_once(n_members, training_bytes(bench.backbone, n_channels, n_timepoints, part.n_classes, batch_size))


def _order(bench: Workbench, purpose: str, index: int) -> torch.Generator:
    return bench.rng(f"{purpose} order", index, "cpu")


def _one_pass(bench: Workbench, indices: Sequence[int], dropout: Dropout) -> list[Network]:
    schedule, part = bench.schedule(bench.training_set, bench.epochs), bench.training_set
    keys = [member_key(bench, part, schedule, index, dropout, together=indices) for index in indices]
    networks = [bench.fresh(index, dropout) for index in indices]

    def train() -> list[tuple[Arrays, dict[str, Any]]]:
        orders = [_order(bench, "member", index) for index in indices]
        members = [Member(network, schedule, order) for network, order in zip(networks, orders, strict=True)]
        entries = _train(bench, members, indices, part, "member")
        return [(state_to_arrays(network), {**vars(entry)}) for network, entry in zip(networks, entries, strict=True)]

    asked = time.perf_counter()
    trained = obtain_all(bench.networks, keys, train)
    if all(reused for _, _, reused in trained):
        bench.ledger.waited_seconds += time.perf_counter() - asked
    for network, key, (arrays, report, reused) in zip(networks, keys, trained, strict=True):
        if reused:
            load_arrays(network, arrays)
        bench.ledger.add(replace(Entry(**report), reused=reused, key=key))
    return [network.eval() for network in networks]


def _train(bench: Workbench, members: Sequence[Member], indices: Sequence[int], part: TrainingSet, purpose: str) -> list[Entry]:
    """Train a pass; its seconds are shared equally among its members' entries."""
    x, y = bench.tensors(part)
    for member, index in zip(members, indices, strict=True):
        bench.seed_sites(member.network, purpose, index)
    label, schedule = f"{purpose} {indices[0]} to {indices[-1]}", members[0].schedule
    wall, processor = time.perf_counter(), time.process_time()
    curves = train_together(
        members,
        x,
        y,
        on_epoch=lambda epoch, loss: bench.on_epoch(Progress(label, epoch, schedule.stop, loss)),
        execute=(lambda step: Captured(step, x.device)) if bench.execution in CAPTURES else (lambda step: step),
        context=forward_context(bench.device, bench.recipe.precision),
    )
    seconds, cpu_seconds = (time.perf_counter() - wall) / len(members), (time.process_time() - processor) / len(members)
    steps = schedule.stop * math.ceil(part.n_cases / schedule.batch_size)
    entries = []
    for member, index, curve in zip(members, indices, curves, strict=True):
        for site in member.network.sites():
            site.generator = None
        entries.append(Entry(f"{purpose} {index}", schedule.stop, steps, part.n_cases, seconds, cpu_seconds, curve))
    return entries
