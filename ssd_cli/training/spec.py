"""The description of a training, one type for all trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypedDict

from ssd_cli.backbones.base import Network
from ssd_cli.configuration import digest
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.averaging import Averager
from ssd_cli.training.objective import Objective
from ssd_cli.training.schedule import Keep, LearningRateMultiplier, Schedule, Shape
from ssd_cli.training.seeds import CellSeeds


@dataclass(frozen=True, eq=False)
class TrainingSpec:
    """Description of one training.

    Parameters
    ----------
    start : callable
        Returns the network to train; called once, when the network is needed.
    objective : Objective
    schedule : Schedule
    cases : TrainingSet
        The training set, a part of its cases or channels, or the training set with further series.
    seeds : CellSeeds
        Seeds of the cell whose random streams are used.
    purpose, index : str, int
        Name the random streams of batch order and dropout.
    label : str
        Shown in progress and ledger.
    averager : Averager, optional
    shared : mapping
        Everything that determines the weights of a network that cells share. Empty: only one cell uses it.
    """

    start: Callable[[], Network]
    objective: Objective
    schedule: Schedule
    cases: TrainingSet
    seeds: CellSeeds
    purpose: str = "student"
    index: int = 0
    label: str = ""
    averager: Averager | None = None
    shared: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def network(self) -> Network:
        """The network, trained in place."""
        return self.start()

    def key(self, together: Mapping[str, Any]) -> str:
        """Return the content address of a shared network; `together` names the networks of its training step, if several."""
        return digest({**self.shared, **together})


class TrainingOptions(TypedDict, total=False):
    """Options of a training; missing options follow the recipe.

    Parameters
    ----------
    lr_multiplier : callable
        Factor of the learning rate after a number of epochs, which may be fractional; replaces the shape.
    cases : TrainingSet
        The training set by default.
    purpose, index : str, int
        Name the random streams of batch order and dropout: two trainings with equal names see the same batches. A training with
        the purpose "member" sees those of `Workbench.base_network(index)`. By default "student" and 0.
    label : str
        Shown in progress and ledger; the purpose by default.
    """

    epochs: int | None
    learning_rate: float | None
    shape: Shape | None
    lr_multiplier: LearningRateMultiplier | None
    keep: Keep | None
    cases: TrainingSet
    purpose: str
    index: int
    averager: Averager | None
    label: str
