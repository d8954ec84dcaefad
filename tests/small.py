"""The small problem of `ssd_cli.testing`, and what tests of training and methods need beside it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from torch import nn

from ssd_cli.backbones.base import Backbone, Network
from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.inception import HInceptionBackbone, InceptionBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.configuration import configure, parse_label
from ssd_cli.methods import methods
from ssd_cli.methods.base import Method
from ssd_cli.methods.recording import RecordedFit, record_trainings
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.testing.problem import SHORT, SmallBackbone, SmallNetwork, fingerprint, waves, waves_training_set, workbench
from ssd_cli.training.objective import CrossEntropy, Objective
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.seeds import CellSeeds
from ssd_cli.training.spec import TrainingSpec

__all__ = [
    "SHORT",
    "SmallBackbone",
    "SmallNetwork",
    "fingerprint",
    "waves",
    "waves_training_set",
    "workbench",
]  # and what is defined here

BACKBONES: dict[str, Backbone] = {
    "inception": InceptionBackbone(width=3, kernel=8),
    "h-inception": HInceptionBackbone(width=3, kernel=8),
    "lite": LITEBackbone(width=4, kernel=8),
    "litemv": LITEBackbone(width=4, kernel=8, separable=True),
    "resnet": ResNetBackbone(width=4),
    "fcn": FCNBackbone(width=4),
    "plug-in": SmallBackbone(),
}

EXACT = dataclasses.replace(SHORT, precision="fp64")


def training_spec(
    network: Network, schedule: Schedule, cases: TrainingSet, objective: Objective | None = None, **options: Any
) -> TrainingSpec:
    """A training outside any workbench."""
    return TrainingSpec(lambda: network, objective or CrossEntropy(), schedule, cases, CellSeeds(0, "Waves"), **options)


def build(label: str) -> Method:
    """The method of a label, as ``ssd[quantile=0.5]``."""
    name, parameters = parse_label(label)
    return configure(methods.get(name), name, parameters)


def recorded(method: Method | str, recipe: Recipe, backbone: Backbone | None = None) -> RecordedFit:
    """What a method, or that of a label, trains with a recipe that is filled in."""
    return record_trainings(build(method) if isinstance(method, str) else method, backbone or SmallBackbone(), recipe)


def weights(network: nn.Module) -> np.ndarray:
    """All weights and floating-point buffers in one vector."""
    values = [value.double().numpy().ravel() for value in network.state_dict().values() if value.is_floating_point()]
    return np.concatenate(values)
