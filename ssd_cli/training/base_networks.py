"""Plainly trained networks that all methods share: each under a key of its own, trained alone or in one pass with others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from ssd_cli.backbones.base import Dropout, Network
from ssd_cli.configuration import digest
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.training.joint import Trainee, at_once, train_jointly
from ssd_cli.training.ledger import Entry
from ssd_cli.training.loop import refuse_diverged
from ssd_cli.training.networks import Arrays, Networks, load_arrays, state_to_arrays
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.spec import TrainingSpec

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.loop import Keep, Schedule
    from ssd_cli.training.workbench import Workbench

_MADE_FOR = "made_for"
"""In the report of a stored network: the cell that books its seconds as spent, though a killed process may have made it, or another
cell in its pass. It is no part of an `Entry`, which stands in records."""

Trained = tuple[Mapping[str, npt.NDArray], dict[str, Any], bool]


@dataclass(frozen=True)
class Rule:
    """How members are trained; see `Workbench.base_network`."""

    dropout: Dropout
    stop: float = 1.0
    keep: Keep | None = None
    holdout: bool = False


@dataclass(frozen=True)
class Place:
    """A member of a workbench, and with what it is trained."""

    bench: Workbench
    index: int
    dropout: Dropout
    part: TrainingSet
    schedule: Schedule

    @property
    def kind(self) -> tuple[Any, ...]:
        """What is the same in all places of a pass."""
        return self.part.X.shape, self.part.n_classes, self.bench.training_set.padded, self.schedule.stop, self.schedule.batch_size

    def key(self, together: Sequence[Place]) -> str:
        """The content address of the network: a digest of all that decides its weights.

        Who is trained in the same pass belongs to it: how many there are may change how a device adds.
        """
        identity: dict[str, Any] = {
            "family": "member",
            "training_set": self.part.digest,
            "dataset": self.part.dataset,
            "resample": self.part.resample,
            "seed": self.bench.seed,
            "index": self.index,
            "backbone": self.bench.backbone_identity,
            "dropout": {"embed": self.dropout.embed, "mid": self.dropout.mid},
            "recipe": self.bench.recipe.identity(),
            "schedule": self.schedule.identity(),
            "execution": self.bench.execution.label,
            "device": self.bench.device,
            "threads": torch.get_num_threads(),
            "protocol_version": PROTOCOL_VERSION,
        }
        if len(together) > 1:
            identity["together"] = [[one.part.resample, one.bench.seed, one.index] for one in together]
        return digest(identity)


def obtain_base_networks(bench: Workbench, indices: Sequence[int], rule: Rule) -> list[Network]:
    """Members of a workbench, found or trained now: one by one, or in passes that fit into a device's memory.

    Where the execution trains several networks at once, a pass holds these members of all `Workbench.joint_cells` whose training
    sets have the same shape. What it makes for others is stored under their keys, and found when they ask for it.
    """
    own = [_place(bench, index, rule) for index in indices]
    if bench.execution.batching == "off":
        return [network for place in own for network in _obtain([place], bench)]
    asked = time.perf_counter()
    alike = [one for one in bench.joint_cells if _kind(one, rule) == own[0].kind]
    bench.ledger.waited_seconds += time.perf_counter() - asked
    places = [_place(one, index, rule) for one in alike for index in indices]
    size = at_once(bench, own[0].part, len(places))
    passes = [places[start : start + size] for start in range(0, len(places), size)]
    return [network for some in passes if any(place.bench is bench for place in some) for network in _obtain(some, bench)]


def _place(bench: Workbench, index: int, rule: Rule) -> Place:
    part = bench.training_part() if rule.holdout else bench.training_set
    schedule = bench.schedule(part, bench.epochs, bench.recipe.epochs_of(rule.stop))
    return Place(bench, index, rule.dropout, part, replace(schedule, keep=rule.keep or schedule.keep))


def _kind(bench: Workbench, rule: Rule) -> tuple[Any, ...] | None:
    if rule.holdout and bench.validation_split() is None:
        return None
    return _place(bench, 0, rule).kind


def _obtain(places: Sequence[Place], bench: Workbench) -> list[Network]:
    """The networks of a pass that belong to a workbench. Where one of these is missing, all of the pass are trained."""
    asked = time.perf_counter()
    keys = [place.key(places) for place in places]
    own = [position for position, place in enumerate(places) if place.bench is bench]
    trained = obtain_all(bench.networks, keys, own, lambda: _train(places))
    mine, fresh = [], 0
    for position in own:
        place, (arrays, report, found) = places[position], trained[position]
        made_for, entry = report.get(_MADE_FOR, ""), Entry(**{name: value for name, value in report.items() if name != _MADE_FOR})
        refuse_diverged(entry.curve, place.schedule)
        network = bench.fresh(place.index, place.dropout)
        load_arrays(network, arrays)
        made_for_this = found and made_for != "" and made_for == bench.name
        reused = found and (not made_for_this or len(places) > 1)
        if bench.ledger.add(replace(entry, reused=reused, key=keys[position])) and made_for_this:
            if reused:
                bench.ledger.share_seconds += entry.fit_seconds
            else:
                bench.ledger.resumed_seconds += entry.fit_seconds
        if bench.checkpoints is not None and not found:
            bench.checkpoints.discard(keys[position])
        mine.append(network.eval())
        fresh += not found
    bench.ledger.waited_seconds += (time.perf_counter() - asked) * (1 - fresh / len(places))
    return mine


def _train(places: Sequence[Place]) -> list[tuple[Arrays, dict[str, Any]]]:
    networks = [place.bench.fresh(place.index, place.dropout) for place in places]
    specs = [
        TrainingSpec(network, CrossEntropy(), place.schedule, place.part, "member", place.index, f"member {place.index}")
        for place, network in zip(places, networks, strict=True)
    ]
    if len(places) == 1:
        entries = [places[0].bench.run(specs[0], places[0].key(places))]
    else:
        entries = train_jointly([Trainee(place.bench, spec) for place, spec in zip(places, specs, strict=True)])
    return [
        (state_to_arrays(network), vars(entry) | {_MADE_FOR: place.bench.name})
        for place, network, entry in zip(places, networks, entries, strict=True)
    ]


def obtain_all(
    networks: Networks, keys: Sequence[str], wanted: Sequence[int], train: Callable[[], Sequence[tuple[Arrays, dict[str, Any]]]]
) -> dict[int, Trained]:
    """`Networks.obtain` for networks that come out of one training, which happens at most once.

    Parameters
    ----------
    networks : Networks
    keys : sequence of str
        Of all networks of the training. No network has one of them and is trained with others.
    wanted : sequence of int
        Positions of the networks to return.
    train : callable
        Makes all networks; called where a wanted one is missing.

    Notes
    -----
    Whoever trains holds the claim of the first key until all are stored, the first one last, so that others wait there.
    """
    made: list[tuple[Arrays, dict[str, Any]]] = []
    found: dict[int, Trained] = {}

    def make(position: int) -> tuple[Arrays, dict[str, Any]]:
        if not made:
            made.extend(train())
        return made[position]

    def make_all() -> tuple[Arrays, dict[str, Any]]:
        first = make(0)
        for position in range(1, len(keys)):
            found[position] = networks.obtain(keys[position], partial(make, position))
        return first

    there = {position: networks.find(keys[position]) for position in wanted}
    if any(entry is None for entry in there.values()):
        found[0] = networks.obtain(keys[0], make_all)
    for position, entry in there.items():
        if position not in found:
            found[position] = (*entry, True) if entry is not None else networks.obtain(keys[position], partial(make, position))
    return {position: found[position] for position in wanted}
