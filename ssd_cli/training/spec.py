"""What is to be trained, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ssd_cli.backbones.base import Network
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.loop import Averager, Keep, LearningRateMultiplier, Schedule, Shape
from ssd_cli.training.objective import Objective


@dataclass(frozen=True)
class TrainingSpec:
    """One training.

    Parameters
    ----------
    network : Network
        Trained in place.
    objective : Objective
    schedule : Schedule
    cases : TrainingSet
        The training set, a part of it, or other series in its place.
    purpose, index : str, int
        Name the random streams of batch order and dropout.
    label : str
        Shown in progress and ledger.
    averager : Averager, optional
    """

    network: Network
    objective: Objective
    schedule: Schedule
    cases: TrainingSet
    purpose: str
    index: int = 0
    label: str = ""
    averager: Averager | None = None


class TrainingOptions(TypedDict, total=False):
    """Options of a training; what is left out follows the recipe.

    Parameters
    ----------
    epochs : int or None
        Length of the schedule; the recipe's epochs by default.
    learning_rate, shape, keep : optional
        Replace the recipe's.
    lr_multiplier : callable
        Factor of the learning rate after so many epochs, fractions included; replaces the shape.
    cases : TrainingSet
        The training set by default.
    purpose, index : str, int
        Name the random streams of batch order and dropout: two trainings with equal names see the same batches. A training with
        the purpose "member" sees those of `Workbench.base_network(index)`. By default "student" and 0.
    averager : Averager or None
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
