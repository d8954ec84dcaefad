"""The workbench of a cell, and those of the resamples and seeds whose members are trained in the same passes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import digest
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.configured import configured_backbone, configured_recipe
from ssd_cli.running.provenance import made_with
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import plain

if TYPE_CHECKING:
    from ssd_cli.archives.dataset import Dataset
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.running.job import Job
    from ssd_cli.training.workbench import Workbench


def workbench_of(job: Job, dataset: Dataset, training_set: TrainingSet, tell: Callable[[Any], None]) -> Workbench:
    """The workbench of a cell.

    Parameters
    ----------
    job : Job
    dataset : Dataset
        From which the training sets of other resamples are drawn when they are needed.
    training_set : TrainingSet
        Of the cell.
    tell : callable
        Told the progress of every training.
    """
    from ssd_cli.training.workbench import Workbench

    identity = job.planned.identity
    together = identity.get("together", {"resamples": [], "seeds": []})
    options: dict[str, Any] = {
        "networks": NetworkStore(job.out),
        "device": identity["device"],
        "execution": identity["execution"],
        "on_epoch": tell,
        "checkpoints": CheckpointStore(job.out, made_with()) if identity["device"] == "cpu" else None,
    }

    def make(part: TrainingSet, seed: int, **more: Any) -> Workbench:
        backbone, recipe = configured_backbone(identity), configured_recipe(identity)
        name = digest(plain(identity | {"resample": part.resample, "seed": seed}))  # the identity of its own cell of this method
        return Workbench(part, backbone, identity["backbone"], recipe, seed, name=name, **options, **more)

    def others() -> list[Workbench]:
        parts = {k: _training_set(dataset, k, identity) for k in together["resamples"]} | {training_set.resample: training_set}
        pairs = itertools.product(together["resamples"], together["seeds"])
        own = training_set.resample, identity["seed"]
        return [make(part, seed) for k, seed in pairs if (k, seed) != own and (part := parts[k]) is not None]

    return make(training_set, identity["seed"], others=others)


def _training_set(dataset: Dataset, resample: int, identity: dict[str, Any]) -> TrainingSet | None:
    """The training set of a resample; None where it cannot be drawn, of which its own cells will tell."""
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.protocol.split import split

    try:
        return split(dataset, resample, Preparation(**identity["preparation"]))[0]
    except SsdBenchError:
        return None
