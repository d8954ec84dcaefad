"""Base networks: trained with the plain objective, stored under their key, and shared by all methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt
import torch

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.configuration import as_dict
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.ledger import LedgerEntry
from ssd_cli.training.loop import refuse_diverged
from ssd_cli.training.networks import Arrays, Networks, load_arrays, state_to_arrays
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.run import joint_size, run, run_jointly
from ssd_cli.training.schedule import Keep
from ssd_cli.training.spec import TrainingSpec
from ssd_cli.training.stopwatch import Spent, Stopwatch

_MADE_FOR = "made_for"
"""Key in the report of a stored network: the name of the cell whose record counts its seconds as spent. A killed process or another
cell (in a joint step) may have trained the network. A `LedgerEntry`, which is written to records, lacks this key."""

Trained = tuple[Mapping[str, npt.NDArray], dict[str, Any], bool]


class _Wanted(NamedTuple):
    """A base network to return or to train, and the cell that it belongs to."""

    context: TrainingContext
    spec: TrainingSpec

    @property
    def kind(self) -> tuple[Any, ...]:
        """The properties that all networks of one training step share."""
        cases, schedule = self.spec.cases, self.spec.schedule
        return cases.X.shape, cases.n_classes, self.context.training_set.padded, schedule.stop, schedule.batch_size


def base_spec(
    context: TrainingContext,
    index: int,
    dropout: Dropout = NO_DROPOUT,
    stop: float = 1.0,
    keep: Keep | None = None,
    holdout: bool = False,
    backbone: Backbone | None = None,
) -> TrainingSpec:
    """Return the training of a base network; see `Workbench.base_network`."""
    cases = context.training_part() if holdout else context.training_set
    schedule = context.schedule(cases, stop=context.recipe.epochs_of(stop))
    schedule = replace(schedule, keep=keep or schedule.keep)
    execution = context.execution
    if backbone is not None:
        execution = context.execution_of(context.fresh(backbone=backbone))
    shared = {
        "family": "member",
        "training_set": cases.digest,
        "dataset": cases.dataset,
        "resample": cases.resample,
        "seed": context.seed,
        "index": index,
        "backbone": context.backbone_identity if backbone is None else _identity(backbone),
        "dropout": {"embed": dropout.embed, "mid": dropout.mid},
        "recipe": context.recipe.identity(),
        "schedule": schedule.identity(),
        "execution": execution.label,
        "device": context.device,
        "threads": torch.get_num_threads(),
        "protocol_version": PROTOCOL_VERSION,
    }
    start = partial(context.fresh, index, dropout, backbone)
    return TrainingSpec(
        start, CrossEntropy(), schedule, cases, context.seeds, "member", index, label=f"member {index}", shared=shared
    )


def obtain(
    context: TrainingContext,
    joint_cells: Callable[[], Sequence[TrainingContext]],
    indices: Sequence[int],
    **options: Any,
) -> list[Network]:
    """Return base networks of a cell; train those that are not stored.

    If the execution trains several networks at once, a step trains networks of all joint cells with training sets of one shape, as
    many as fit into the device's memory. Networks of other cells are stored under their keys for these cells.

    `joint_cells` returns the contexts of all cells whose networks share training steps, including this one; `options` are those of
    `base_spec`.
    """
    own = [_Wanted(context, base_spec(context, index, **options)) for index in indices]
    if not context.joint:
        return [network for wanted in own for network in _obtain([wanted], context)]
    asked = Stopwatch(context.device)
    alike = [one for one in joint_cells() if _kind(one, options) == own[0].kind]
    context.ledger.waited += asked.read()
    every = [_Wanted(one, base_spec(one, index, **options)) for one in alike for index in indices]
    size = joint_size(context, own[0].spec, len(every))
    groups = [every[start : start + size] for start in range(0, len(every), size)]
    return [network for group in groups if any(one.context is context for one in group) for network in _obtain(group, context)]


def _kind(context: TrainingContext, options: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return `_Wanted.kind` of a cell's networks; None if the cell cannot have such networks."""
    if options.get("holdout") and context.split is None:
        return None
    return _Wanted(context, base_spec(context, 0, **options)).kind


def _obtain(group: Sequence[_Wanted], context: TrainingContext) -> list[Network]:
    """Return the networks of a training step that belong to a cell. If one of these is missing, train the whole group."""
    asked, in_training = Stopwatch(context.device), Spent()

    def train() -> list[tuple[Arrays, dict[str, Any]]]:
        nonlocal in_training
        started = Stopwatch(context.device)
        made = _train(group, keys[0])
        in_training += started.read()
        return made

    together = [[one.spec.cases.resample, one.context.seed, one.spec.index] for one in group]
    # Keys name all networks of a training step, since their number may change the order in which a device adds.
    keys = [one.spec.key({"together": together} if len(group) > 1 else {}) for one in group]
    own = [position for position, one in enumerate(group) if one.context is context]
    trained = obtain_all(context.networks, keys, own, train)
    networks, n_new = [], 0
    for position in own:
        spec, (arrays, report, found) = group[position].spec, trained[position]
        _add_to_ledger(context, spec, keys[position], report, found, alone=len(group) == 1)
        load_arrays(spec.network, arrays)
        networks.append(spec.network.eval())
        n_new += not found
    context.ledger.waited += asked.read() - in_training * (n_new / len(group))
    return networks


def _add_to_ledger(
    context: TrainingContext, spec: TrainingSpec, key: str, report: dict[str, Any], found: bool, alone: bool
) -> None:
    """Add a shared network to the ledger of the cell that requested it; raise SsdBenchError if its training diverged."""
    made_for = report.get(_MADE_FOR, "")
    entry = LedgerEntry(**{name: value for name, value in report.items() if name != _MADE_FOR})
    program = "" if entry.program == context.program else entry.program or "unknown"
    refuse_diverged(entry.curve, spec.schedule)
    made_for_this = found and made_for != "" and made_for == context.name
    reused = found and (not made_for_this or not alone)
    if context.ledger.add(replace(entry, reused=reused, key=key, program=program)) and made_for_this:
        if reused:
            context.ledger.share_seconds += entry.fit_seconds
        else:
            context.ledger.resumed += entry.spent
    if context.checkpoints is not None and not found:
        context.checkpoints.discard(key)


def _train(group: Sequence[_Wanted], key: str) -> list[tuple[Arrays, dict[str, Any]]]:
    first, specs = group[0], [one.spec for one in group]
    entries = [run(first.context, specs[0], key)] if len(group) == 1 else run_jointly(first.context, specs)
    return [
        (state_to_arrays(one.spec.network), vars(entry) | {"program": one.context.program, _MADE_FOR: one.context.name})
        for one, entry in zip(group, entries, strict=True)
    ]


def obtain_all(
    networks: Networks, keys: Sequence[str], wanted: Sequence[int], train: Callable[[], Sequence[tuple[Arrays, dict[str, Any]]]]
) -> dict[int, Trained]:
    """Return networks as `Networks.obtain` does, for one training step that trains all of them and runs at most once.

    The training process holds the claim of the first key until all networks are stored, and stores the first one last. Other
    processes wait for this claim.

    Parameters
    ----------
    keys : sequence of str
        Keys of all networks of the step. Each key occurs in this step only.
    wanted : sequence of int
        Positions of the networks to return.
    train : callable
        Trains all networks; called if a wanted one is missing.
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

    stored = {position: networks.find(keys[position]) for position in wanted}
    if any(entry is None for entry in stored.values()):
        found[0] = networks.obtain(keys[0], make_all)
    for position, entry in stored.items():
        if position not in found:
            found[position] = (*entry, True) if entry is not None else networks.obtain(keys[position], partial(make, position))
    return {position: found[position] for position in wanted}


def _identity(backbone: Backbone) -> dict[str, Any]:
    """Return name and parameters of a backbone, as in identities of cells; the name of a plug-in's module is its digest."""
    kind = type(backbone)
    for entry in backbones.entries():
        if backbones.get(entry.name) is kind:
            plugin = {"plugin_sha256": entry.plugin_sha256} if entry.plugin_sha256 else {}
            return {"name": entry.name, "parameters": as_dict(backbone), **plugin}
    return {"name": f"{kind.__module__}.{kind.__qualname__}", "parameters": as_dict(backbone)}
