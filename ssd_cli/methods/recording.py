"""Count what a method trains: run its `fit` on a workbench that records trainings instead of running them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.methods.base import Method
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.averaging import State
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.recipe import ResolvedRecipe
from ssd_cli.training.schedule import Keep
from ssd_cli.training.spec import TrainingSpec
from ssd_cli.training.workbench import Workbench

NARROW_STEP = 0.35
"""Cost of a step of a backbone's narrow version, in plain steps: Inception .28, LITE .48 (results/study/costs_small_*.csv)."""

_CASES, _CLASSES, _TIMEPOINTS = 20, 2, 16  # ten cases per class, so that a validation part can be taken


@dataclass(frozen=True)
class RecordedTraining:
    """One training of a fit.

    Parameters
    ----------
    shared : str
        Names a network that the cells of a dataset, backbone, resample and seed share; empty for a network of this method alone.
    holdout : bool
        Trained on the training part of the validation split, about four fifths of the cases.
    step : float
        Cost of a step, in steps of a plain training.
    series : int
        Series that a step uses for each case: 2 if an augmentation accompanies each case.
    """

    epochs: int
    shared: str = ""
    holdout: bool = False
    step: float = 1.0
    series: int = 1


@dataclass
class RecordedFit:
    """All trainings of a fit.

    Parameters
    ----------
    full_epochs : int
        Epochs of one full training.
    trainings : list of RecordedTraining
        Empty for a method without networks or one that skips the backbone.
    joint : int
        Base networks that may be trained in one step.
    refreshes_batch_norm : bool
        Whether `fit` calls `Workbench.refresh_batch_norm`.
    second_halves, augmentations : int
        The largest `ExtraMemory` of the objectives.
    error : str
        Why `fit` failed on the recording workbench; trainings may then be missing.
    """

    full_epochs: int
    trainings: list[RecordedTraining] = field(default_factory=list)
    joint: int = 1
    refreshes_batch_norm: bool = False
    second_halves: int = 0
    augmentations: int = 0
    error: str = ""

    @property
    def cost(self) -> float:
        """Cost of all trainings, in full trainings of one network; a validation part is not counted."""
        return sum(training.epochs * training.step for training in self.trainings) / self.full_epochs

    @property
    def budget_epochs(self) -> float:
        """Training cost in epochs of one network: passes over the cases, weighted by the cost of a step above 1."""
        return sum(training.epochs * max(training.step, training.series) for training in self.trainings)


@lru_cache(maxsize=4096)  # a plan calls it for every cell
def record_trainings(method: Method, backbone: Backbone, recipe: ResolvedRecipe) -> RecordedFit:
    """Run a method's `fit` without training, on a small stand-in training set, and return what it would train.

    A fit that fails counts as the trainings before the failure, or as one full training if there are none.
    """
    if not method.uses_backbone:
        return RecordedFit(recipe.epochs)
    with _restored_global_state():
        bench = RecordingWorkbench(backbone, recipe)
        recorded = bench.recorded
        try:
            if not method.skip(bench.training_set, backbone):
                method.fit(bench.training_set, bench)
        except Exception as error:  # a plug-in may raise anything, and a plan must not end with it
            recorded.error = f"{type(error).__name__}: {error}"
            recorded.trainings = recorded.trainings or [RecordedTraining(recipe.epochs)]
    return recorded


class RecordingWorkbench(Workbench):
    """A workbench that makes stand-in networks and records each training instead of running it."""

    def __init__(self, backbone: Backbone, recipe: ResolvedRecipe) -> None:
        X = np.random.default_rng(0).standard_normal((_CASES, 1, _TIMEPOINTS)).astype(np.float32)
        y = np.arange(_CASES, dtype=np.int64) % _CLASSES
        super().__init__(TrainingContext(TrainingSet(X, y, _CLASSES, "stand-in"), backbone, {}, recipe, 0))
        self.recorded = RecordedFit(self.epochs)

    def fresh(
        self,
        index: int = 0,
        dropout: Dropout = NO_DROPOUT,
        backbone: Backbone | None = None,
        epochs: int | None = None,
        cases: TrainingSet | None = None,
    ) -> Network:
        """Make a stand-in. With a backbone other than the cell's or its narrow version, it costs as much as a plain network."""
        narrow = backbone is not None and backbone != self.backbone and backbone == self.backbone.narrow()
        return StandIn(dropout, narrow).to(self.dtype)

    def copies(self, network: Network, states: Sequence[State]) -> list[Network]:
        """Return the same network for each set of weights: hundreds of copies would take seconds."""
        return [network for _ in states]

    def base_network(
        self,
        index: int = 0,
        dropout: Dropout = NO_DROPOUT,
        stop: float = 1.0,
        keep: Keep | None = None,
        holdout: bool = False,
        backbone: Backbone | None = None,
    ) -> Network:
        """Record the training of a base network; the same one is recorded once."""
        epochs = self.recipe.epochs_of(stop)
        keep = keep or (self.recipe.keep if epochs == self.epochs else "last")
        shared = f"member {index}, dropout {dropout.embed} {dropout.mid}, epochs {epochs}, keep {keep}, holdout {holdout}"
        shared += f", backbone {backbone}" if backbone else ""
        if all(training.shared != shared for training in self.recorded.trainings):
            self.recorded.trainings.append(RecordedTraining(epochs, shared, holdout))
        return self.fresh(index, dropout, backbone).eval()

    def base_networks(self, indices: Sequence[int], dropout: Dropout = NO_DROPOUT) -> list[Network]:
        """Record the trainings of several base networks that may be trained in one step."""
        self.recorded.joint = max(self.recorded.joint, len(indices))
        return [self.base_network(index, dropout) for index in indices]

    def train_all(self, specs: Sequence[TrainingSpec], joint: bool = True) -> list[Network]:
        recorded = self.recorded
        for spec in specs:
            objective, epochs, network = spec.objective, spec.schedule.epochs, spec.network
            step = objective.step_cost or objective.series_per_case * getattr(network, "step_cost", 1.0)
            holdout = spec.cases.n_cases < self.training_set.n_cases
            recorded.trainings.append(RecordedTraining(epochs, "", holdout, step, objective.series_per_case))
            recorded.second_halves = max(recorded.second_halves, objective.extra_memory.second_halves)
            recorded.augmentations = max(recorded.augmentations, objective.extra_memory.series_per_case)
            if spec.averager is not None:  # a method reads the averaged weights afterwards
                spec.averager.after_step(network)
                for _ in range(epochs):
                    spec.averager.after_epoch(network)
        return [spec.network for spec in specs]

    def refresh_batch_norm(self, network: Network, holdout: bool = False) -> Network:
        self.recorded.refreshes_batch_norm = True
        return network.eval()


class StandIn(Network):
    """A small network that replaces a real one; for a narrow version it has another embedding size."""

    def __init__(self, dropout: Dropout, narrow: bool) -> None:
        size = 2 if narrow else 4
        super().__init__(size, _CLASSES, dropout)
        self.step_cost = NARROW_STEP if narrow else 1.0
        self.filters = nn.Conv1d(1, size, 1)

    def stem(self, x: Tensor) -> Tensor:
        maps: Tensor = self.filters(x)
        return maps

    def body(self, maps: Tensor) -> Tensor:
        return maps


@contextmanager
def _restored_global_state() -> Iterator[None]:
    """Restore the global random streams and the number of threads after a fit."""
    threads, state = torch.get_num_threads(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_state(state)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
