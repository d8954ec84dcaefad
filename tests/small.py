"""A small problem, a small network and a workbench for both, for tests of training and methods."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.h_inception import HInceptionBackbone
from ssd_cli.backbones.inception import InceptionBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.configuration import configure, parse_label
from ssd_cli.core.executions import Execution
from ssd_cli.methods import methods
from ssd_cli.methods.base import Method
from ssd_cli.methods.recording import RecordedFit, record_trainings
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.objective import CrossEntropy, Objective
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.seeds import CellSeeds
from ssd_cli.training.spec import TrainingSpec
from ssd_cli.training.workbench import Workbench


def waves(n_cases: int, seed: int = 0, n_timepoints: int = 32, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Noisy sines, squares and saws of random phase, z-normalised: X (n_cases, 1, n_timepoints) and y."""
    random = np.random.default_rng(seed)
    y = np.arange(n_cases) % 3
    phase = np.arange(n_timepoints) / 12 + random.uniform(size=(n_cases, 1))
    shapes = np.stack([np.sin(2 * np.pi * phase), np.sign(np.sin(2 * np.pi * phase)), 2 * (phase % 1) - 1])
    X = shapes[y, np.arange(n_cases)] + noise * random.standard_normal((n_cases, n_timepoints))
    X = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    return X[:, None].astype(np.float32), y.astype(np.int64)


def waves_training_set(n_cases: int = 21, seed: int = 0, **changes: Any) -> TrainingSet:
    return TrainingSet(*waves(n_cases, seed), 3, "Waves", **changes)


class SmallNetwork(Network):
    """Two convolutions with batch norm, one on each side of the mid site."""

    resumable = True

    def __init__(self, n_channels: int, n_classes: int, dropout: Dropout, width: int) -> None:
        super().__init__(width + 2, n_classes, dropout)
        self.first = nn.Sequential(nn.Conv1d(n_channels, width, 5, padding=2, bias=False), nn.BatchNorm1d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv1d(width, width + 2, 3, padding=1), nn.BatchNorm1d(width + 2), nn.ReLU())

    def stem(self, x: Tensor) -> Tensor:
        return self.first(x)

    def body(self, maps: Tensor) -> Tensor:
        return self.second(maps)


@dataclass(frozen=True)
class SmallBackbone(Backbone):
    width: int = 4

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return SmallNetwork(n_channels, n_classes, dropout, self.width)

    def narrow(self) -> Backbone:
        return SmallBackbone(max(2, self.width // 2))


BACKBONES: dict[str, Backbone] = {
    "inception": InceptionBackbone(width=3, kernel=8),
    "h-inception": HInceptionBackbone(width=3, kernel=8),
    "lite": LITEBackbone(width=4, kernel=8),
    "litemv": LITEBackbone(width=4, kernel=8, separable=True),
    "resnet": ResNetBackbone(width=4),
    "fcn": FCNBackbone(width=4),
    "plug-in": SmallBackbone(),
}

SHORT = Recipe(epochs=4, student_epochs=2, learning_rate=1e-2, schedule="cosine", keep="last", batch_size=8, bn_momentum=0.1)
EXACT = dataclasses.replace(SHORT, precision="fp64")


def workbench(training_set: TrainingSet | None = None, recipe: Recipe = SHORT, seed: int = 0, **options: Any) -> Workbench:
    training_set = waves_training_set() if training_set is None else training_set
    backbone = options.pop("backbone", SmallBackbone())
    identity = {"name": type(backbone).__name__, **dataclasses.asdict(backbone)}
    others, execution = options.pop("others", tuple), Execution.of(options.pop("execution", "plain"))
    context = TrainingContext(training_set, backbone, identity, recipe.for_backbone("small"), seed, execution=execution, **options)
    return Workbench(context, others)


def training_spec(
    network: Network, schedule: Schedule, cases: TrainingSet, objective: Objective | None = None, **options: Any
) -> TrainingSpec:
    """A training outside any workbench."""
    return TrainingSpec(lambda: network, objective or CrossEntropy(), schedule, cases, CellSeeds(0, "Waves"), **options)


def build(label: str) -> Method:
    """The method of a label, as ``ssd[quantile=0.5]``."""
    name, parameters = parse_label(label)
    return configure(methods.get(name), name, parameters)


def recorded(method: Method | str, recipe: Recipe, backbone: Backbone = SmallBackbone()) -> RecordedFit:
    """What a method, or that of a label, trains with a recipe that is filled in."""
    return record_trainings(build(method) if isinstance(method, str) else method, backbone, recipe)


def fingerprint(*networks: nn.Module) -> str:
    """SHA-256 of all weights and buffers."""
    sha = hashlib.sha256()
    for network in networks:
        for name, value in network.state_dict().items():
            sha.update(name.encode())
            sha.update(value.numpy().tobytes())
    return sha.hexdigest()


def weights(network: nn.Module) -> np.ndarray:
    """All weights and floating-point buffers in one vector."""
    values = [value.double().numpy().ravel() for value in network.state_dict().values() if value.is_floating_point()]
    return np.concatenate(values)
