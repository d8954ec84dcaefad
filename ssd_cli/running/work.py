"""Count the work of a cell from shapes: optimiser steps and floating-point operations."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.configuration import digest

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.core.cell_spec import CellSpec
    from ssd_cli.methods.recording import RecordedFit
    from ssd_cli.training.recipe import ResolvedRecipe

RECOMPUTED = 4 / 3
"""Cost of a step without stored activations, in plain steps: a second forward pass adds a third."""
_LATENCY_PASSES = 23
"""Predictions of one series whose latency a cell measures (`costs.measure`)."""


class DatasetShape(NamedTuple):
    """Shape of a dataset; `n_cases` counts the training set, `n_test` is 0 if unknown."""

    n_cases: int
    n_channels: int
    n_timepoints: int
    n_test: int = 0
    n_classes: int = 2


class Counts(NamedTuple):
    """Steps, operations for one channel, and operations for further channels (at another rate); or the seconds per unit of each."""

    steps: float = 0.0
    flops: float = 0.0
    input_flops: float = 0.0

    def seconds(self, rates: Counts) -> float:
        """Return the seconds that this work takes at these rates."""
        return sum(amount * rate for amount, rate in zip(self, rates, strict=True))


class Work(NamedTuple):
    """Name of the rates (`rates_key`), and named trainings. Equal names denote one training; an empty name is not shared."""

    rates: str
    parts: tuple[tuple[str, Counts], ...]


def work_of(recorded: RecordedFit, backbone: Backbone, recipe: ResolvedRecipe, shape: DatasetShape, spec: CellSpec) -> Work:
    """Count the trainings of a cell, and its predictions as an unnamed part; the recipe is resolved for the backbone."""
    from ssd_cli.core.executions import Execution
    from ssd_cli.engine.convolution.recompute import LARGE

    def counts(steps: float, n_series: float) -> Counts:
        return Counts(steps, *(n_series * shape.n_timepoints * flops for flops in step_flops(backbone, shape.n_channels)))

    # Joint training and separate training give different networks.
    joint = recorded.joint if Execution.of(spec.execution).batching != "off" else 1
    suffix, parts = f", {joint} at once" if joint > 1 else "", []
    for training in recorded.trainings:
        n_cases = math.ceil(0.8 * shape.n_cases) if training.holdout else shape.n_cases
        size = recipe.batch(n_cases)
        step = training.step * (RECOMPUTED if size * shape.n_timepoints >= LARGE else 1)
        work = counts(training.epochs * math.ceil(n_cases / size), training.epochs * step * n_cases)
        parts.append((training.shared and training.shared + suffix, work))
    # Estimate: each network predicts once (a soup is one network, a teacher predicts too); a forward pass is a third of a step.
    passes = math.ceil(shape.n_test * shape.n_timepoints / 2**16) + _LATENCY_PASSES
    predictions = counts(len(parts) * passes / 3, len(parts) * (shape.n_test + _LATENCY_PASSES) / 3)
    return Work(rates_key(spec, recipe.precision), (*parts, ("", predictions)))


def rates_key(spec: CellSpec, precision: str) -> str:
    """Return the name of the rates of a cell's networks."""
    return digest([spec.backbone.to_identity(), spec.execution, spec.device, precision])[:16]


@lru_cache(maxsize=256)
def step_flops(backbone: Backbone, n_channels: int) -> tuple[float, float]:
    """Return the operations of a training step per series and time point: for one channel, and what further channels add.

    A convolution that keeps the length uses every weight once per time point, for a multiplication and an addition; a backward
    pass counts as two forward passes. The head is not counted. The measured rate corrects this for other networks.
    """

    def flops(channels: int) -> float:
        network = backbone.build(channels, 2)
        weights = sum(weight.numel() for weight in (*network.parameters(), *network.buffers()) if weight.ndim > 1)
        return 6.0 * max(1, weights - network.classifier.weight.numel())

    every = flops(n_channels)
    try:
        one = min(every, flops(1))
    except Exception:  # a plug-in may refuse one channel with any error
        one = every
    return one, every - one
