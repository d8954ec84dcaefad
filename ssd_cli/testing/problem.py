"""An easy problem, a small network and a workbench for both."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.configuration import configure, label, parse_label
from ssd_cli.core.executions import Execution
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.recipe import Recipe, ResolvedRecipe
from ssd_cli.training.workbench import Workbench

SHORT = Recipe(
    epochs=4, student_epochs=2, learning_rate=1e-2, schedule="cosine", keep="last", batch_size=8, batch_divisor=0, bn_momentum=0.1
)
QUICK = dataclasses.replace(SHORT, epochs=2, student_epochs=1)
# Enough epochs for a small network to learn the easy problem, also for a student that starts from random weights.
LEARNING = dataclasses.replace(SHORT, epochs=40, student_epochs=50, batch_size=16)


def waves(n_cases: int, seed: int = 0, n_timepoints: int = 32, noise: float = 0.2) -> tuple[npt.NDArray, npt.NDArray]:
    """Return noisy sine, square and sawtooth waves of random phase, z-normalised: X (n_cases, 1, n_timepoints), y (n_cases,)."""
    random = np.random.default_rng(seed)
    y = np.arange(n_cases) % 3
    phase = np.arange(n_timepoints) / 12 + random.uniform(size=(n_cases, 1))
    shapes = np.stack([np.sin(2 * np.pi * phase), np.sign(np.sin(2 * np.pi * phase)), 2 * (phase % 1) - 1])
    X = shapes[y, np.arange(n_cases)] + noise * random.standard_normal((n_cases, n_timepoints))
    X = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    return X[:, None].astype(np.float32), y.astype(np.int64)


def waves_training_set(n_cases: int = 21, seed: int = 0, **changes: Any) -> TrainingSet:
    """Return `waves` as a training set of three classes."""
    return TrainingSet(*waves(n_cases, seed), 3, "Waves", **changes)


class SmallNetwork(Network):
    """Two convolutions with batch norm, one on each side of the site `mid`."""

    resumable = True

    def __init__(self, n_channels: int, n_classes: int, dropout: Dropout, width: int) -> None:
        super().__init__(width + 2, n_classes, dropout)
        self.first = nn.Sequential(nn.Conv1d(n_channels, width, 5, padding=2, bias=False), nn.BatchNorm1d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv1d(width, width + 2, 3, padding=1), nn.BatchNorm1d(width + 2), nn.ReLU())

    def stem(self, x: Tensor) -> Tensor:
        maps: Tensor = self.first(x)
        return maps

    def body(self, maps: Tensor) -> Tensor:
        last: Tensor = self.second(maps)
        return last


@dataclass(frozen=True)
class SmallBackbone(Backbone):
    """The backbone of `SmallNetwork`."""

    width: int = 4

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        return SmallNetwork(n_channels, n_classes, dropout, self.width)

    def narrow(self) -> Backbone:
        return SmallBackbone(max(2, self.width // 2))


def workbench(
    training_set: TrainingSet | None = None, recipe: Recipe | ResolvedRecipe = SHORT, seed: int = 0, **options: Any
) -> Workbench:
    """Return a workbench; the backbone is a `SmallBackbone` unless `options` name another."""
    training_set = waves_training_set() if training_set is None else training_set
    backbone = options.pop("backbone", SmallBackbone())
    identity = {"name": type(backbone).__name__, **dataclasses.asdict(backbone)}
    others, execution = options.pop("others", tuple), Execution.of(options.pop("execution", "plain"))
    resolved = recipe if isinstance(recipe, ResolvedRecipe) else recipe.for_backbone(backbone)
    context = TrainingContext(training_set, backbone, identity, resolved, seed, execution=execution, **options)
    return Workbench(context, others)


def fingerprint(*networks: nn.Module) -> str:
    """Return the SHA-256 of all weights and buffers."""
    sha = hashlib.sha256()
    for network in networks:
        for name, value in network.state_dict().items():
            sha.update(name.encode())
            sha.update(value.numpy().tobytes())
    return sha.hexdigest()


def verify(condition: bool, message: str) -> None:
    """Raise AssertionError with a message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def check_configuration(configuration: Any) -> None:
    """Check that a configuration is frozen and hashable, and that its label can be parsed into an equal one."""
    kind = type(configuration)
    verify(dataclasses.is_dataclass(kind), f"{kind.__name__} is not a dataclass.")
    verify(kind.__dataclass_params__.frozen, f"{kind.__name__} is not frozen: write @dataclass(frozen=True).")
    hash(configuration)
    text = label("name", configuration)
    name, parameters = parse_label(text)
    verify(configure(kind, name, parameters) == configuration, f"The label {text} does not give the same {kind.__name__} back.")
