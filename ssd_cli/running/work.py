"""How much a cell asks of a machine, counted from shapes: optimiser steps and floating-point operations, never seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.configuration import digest

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.core.cell_spec import CellSpec
    from ssd_cli.methods.recording import RecordedFit, RecordedTraining
    from ssd_cli.training.recipe import Recipe

RECOMPUTED = 4 / 3
"""Of the operations of a step that keeps no maps: one forward pass more than a forward and a backward pass."""
_LATENCY_PASSES = 23
"""Predictions of one series that a cell times (`costs.measure`)."""


class Shape(NamedTuple):
    """Shape of a dataset; `n_cases` counts the training set, `n_test` is 0 where it is not known."""

    n_cases: int
    n_channels: int
    n_timepoints: int
    n_test: int = 0
    n_classes: int = 2


class Counts(NamedTuple):
    """Amounts of work, or the seconds that one of each takes."""

    steps: float = 0.0
    """Optimiser steps: what they cost whatever the batch."""
    flops: float = 0.0
    """Operations of these steps, as for a single channel."""
    input_flops: float = 0.0
    """What further channels add: other layers, and another rate."""
    passes: float = 0.0
    """Batches that are predicted."""
    pass_flops: float = 0.0
    """Operations of these predictions."""

    def times(self, rates: Counts) -> float:
        """Seconds of these amounts at these rates."""
        return sum(amount * rate for amount, rate in zip(self, rates, strict=True))


@dataclass(frozen=True)
class Work:
    """What a cell computes.

    Parameters
    ----------
    rates : str
        Which rates it goes at: a digest of backbone, execution, precision and device.
    trainings : tuple of (str, Counts)
        Each with the text that tells which trainings are one (`RecordedTraining.shared`), or an empty one.
    prediction : Counts
        Of the test set, and of the single series whose latency is taken.
    """

    rates: str
    trainings: tuple[tuple[str, Counts], ...]
    prediction: Counts


def work_of(recorded: RecordedFit, backbone: Backbone, recipe: Recipe, shape: Shape, spec: CellSpec) -> Work:
    """Count the work of a cell.

    Parameters
    ----------
    recorded : RecordedFit
        What the method trains.
    backbone : Backbone
    recipe : Recipe
        Filled in for the backbone.
    shape : Shape
    spec : CellSpec
    """
    from ssd_cli.core.executions import Execution

    # Members of one pass are other networks than those that are trained alone.
    joint = recorded.joint if Execution.of(spec.execution).batching != "off" else 1
    suffix = f", {joint} at once" if joint > 1 else ""
    trainings = tuple(
        (training.shared and training.shared + suffix, counts_of(training, backbone, recipe, shape))
        for training in recorded.trainings
    )
    return Work(rates_key(spec, recipe.precision), trainings, _prediction(backbone, shape, len(recorded.trainings)))


def rates_key(spec: CellSpec, precision: str) -> str:
    """Return the name of the rates of a cell's networks."""
    return digest([spec.backbone.to_identity(), spec.execution, spec.device, precision])[:16]


def counts_of(training: RecordedTraining, backbone: Backbone, recipe: Recipe, shape: Shape) -> Counts:
    """Steps of a training and their operations."""
    from ssd_cli.engine.convolution.recompute import LARGE

    n_cases = math.ceil(0.8 * shape.n_cases) if training.holdout else shape.n_cases
    size = recipe.batch(n_cases)
    single, all_channels = _one_channel_flops(backbone, shape.n_channels), step_flops(backbone, shape.n_channels)
    times = training.epochs * training.step * n_cases * shape.n_timepoints
    times *= RECOMPUTED if size * shape.n_timepoints >= LARGE else 1
    return Counts(training.epochs * math.ceil(n_cases / size), times * single, times * max(0, all_channels - single))


@lru_cache(maxsize=256)
def step_flops(backbone: Backbone, n_channels: int) -> float:
    """Operations of training on one time step of one series: six for each weight of the network, but for its head.

    A convolution that keeps the length uses every weight once a step, for a multiplication and an addition; a backward pass counts
    as two forward ones. Where a network of a plug-in does otherwise, its measured rate makes up for it.
    """
    network = backbone.build(n_channels, 2)
    weights = sum(weight.numel() for weight in (*network.parameters(), *network.buffers()) if weight.ndim > 1)
    return 6.0 * max(1, weights - network.classifier.weight.numel())


def _one_channel_flops(backbone: Backbone, n_channels: int) -> float:
    """The same for a single channel; where a plug-in builds no network for one, for all channels."""
    try:
        return step_flops(backbone, 1)
    except Exception:  # whatever a plug-in raises, the estimate must not end a run
        return step_flops(backbone, n_channels)


def _prediction(backbone: Backbone, shape: Shape, n_networks: int) -> Counts:
    """All networks on the test set and on a single series: a guess, since a soup is one network and a teacher is asked too."""
    each = step_flops(backbone, shape.n_channels) / 3 * shape.n_timepoints
    passes = math.ceil(shape.n_test * shape.n_timepoints / 2**16) + _LATENCY_PASSES
    return Counts(passes=n_networks * passes, pass_flops=n_networks * each * (shape.n_test + _LATENCY_PASSES))
