"""Ensembles of networks collected during one training with a cyclic learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from ssd_cli.methods import methods
from ssd_cli.methods.base import Count, Method, Predictor, TrainingSet, Workbench, require
from ssd_cli.training.averaging import Collector
from ssd_cli.training.objective import CrossEntropy


@methods.register("snapshot")
@dataclass(frozen=True)
class Snapshot(Method):
    """A snapshot ensemble: the mean of the probabilities of the weights at the ends of cosine cycles of one training.

    Huang et al. 2017, "Snapshot Ensembles: Train 1, get M for free", equation 2: within each cycle the learning rate falls from the
    recipe's to almost 0, step by step. The epochs of one training are divided into cycles of whole epochs, equal except for
    rounding. Adam's moments are kept between cycles; gaohuang/SnapshotEnsemble likewise keeps its momentum. Initialisation and
    batch order are those of base network 0.

    Parameters
    ----------
    cycles : int
        Cycles, each with one network; at most one cycle per epoch. Default of Huang et al. 2017.
    averaged : int, optional
        Number of the last cycles whose networks are used; None: all.
    """

    cycles: Count = 5
    averaged: int | None = None

    def check_parameters(self) -> None:
        fits = self.averaged is None or 1 <= self.averaged < self.cycles
        require(fits, f"averaged must be at least 1 and below cycles ({self.cycles}), not {self.averaged}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        ends = self.cycle_ends(workbench.epochs)
        collector = Collector(ends[-(self.averaged or self.cycles) :])
        network = workbench.fresh(0)
        workbench.train(
            network,
            CrossEntropy(),
            lr_multiplier=lambda epochs: annealed(epochs, ends),
            keep="last",
            purpose="member",
            averager=collector,
            label="snapshot",
        )
        return Predictor(workbench.copies(network, collector.collected()))

    def cycle_ends(self, epochs: int) -> list[int]:
        """Return the last epoch of each cycle."""
        cycles = min(self.cycles, epochs)
        return [epochs * cycle // cycles for cycle in range(1, cycles + 1)]


def annealed(epochs: float, ends: list[int]) -> float:
    """Return (1 + cos(pi t)) / 2, with t the share of the current cycle that has passed; 0 after the last cycle."""
    start = 0
    for end in ends:
        if epochs < end:
            return (1 + math.cos(math.pi * (epochs - start) / (end - start))) / 2
        start = end
    return 0.0


LONG_CYCLE, LONG_CYCLE_FROM = 4, 40
"""Epochs of a cycle as released, and the smallest number of remaining epochs that uses it; with fewer, a cycle has two."""


@methods.register("fge")
@dataclass(frozen=True)
class FGE(Method):
    """Fast geometric ensembling: the mean of the probabilities of networks collected along the end of one training.

    Garipov et al. 2018, "Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs", with Adam. The first part is base network
    0, stopped early, with its last weights. Then the learning rate jumps to `high_rate`, as published, and falls and rises in short
    cycles, step by step. A network is collected in the middle of each cycle. The release keeps the optimiser's state; here the
    second part starts with new Adam moments. Both parts together have the epochs of one training (two if it has one).

    Parameters
    ----------
    start : float
        Fraction of the epochs after which the cycles start; at least one epoch is left. Default ours.
    cycle : int, optional
        Epochs of a cycle, an even number; None: 4, as released, or 2 where fewer than 40 epochs are left.
    high_rate, low_rate : float
        The learning rate at the ends and in the middle of a cycle. Defaults ours, for Adam; released .05 and 1e-4 with SGD.
    """

    start: Annotated[float, "(0, 1)"] = 0.75
    cycle: int | None = None
    high_rate: float = 5e-4
    low_rate: float = 1e-5

    def check_parameters(self) -> None:
        even = self.cycle is None or (self.cycle >= 2 and self.cycle % 2 == 0)
        require(even, f"cycle must be an even number of epochs, not {self.cycle}")
        require(0 < self.low_rate <= self.high_rate, f"low_rate must lie above 0 and at most at high_rate, not {self.low_rate}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        stop = workbench.recipe.share_before_last(self.start) or 1.0
        network = workbench.copy(workbench.base_network(stop=stop, keep="last"))
        epochs = workbench.recipe.epochs_after(stop)
        cycle = self.cycle_of(epochs)
        collector = Collector(range(cycle // 2, epochs + 1, cycle))
        workbench.train(
            network,
            CrossEntropy(),
            epochs=epochs,
            learning_rate=self.high_rate,
            lr_multiplier=lambda passed: triangle(passed / cycle, self.low_rate / self.high_rate),
            keep="last",
            purpose="fge",
            averager=collector,
        )
        return Predictor(workbench.copies(network, collector.collected()))

    def cycle_of(self, epochs: int) -> int:
        """Return the epochs of a cycle; at most twice the remaining `epochs`, so that the last network is collected."""
        cycle = self.cycle or (LONG_CYCLE if epochs >= LONG_CYCLE_FROM else 2)
        return min(cycle, 2 * epochs)


def triangle(cycles: float, lowest: float) -> float:
    """Return the multiplier of the learning rate: linear from 1 to `lowest` in the first half of each cycle, and back."""
    return lowest + (1 - lowest) * abs(1 - 2 * (cycles % 1))
