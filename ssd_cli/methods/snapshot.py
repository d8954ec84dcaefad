"""A snapshot ensemble: networks collected at the ends of the cycles of one training."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    rounding. Adam's moments are kept between cycles, as is the momentum in gaohuang/SnapshotEnsemble. Initialisation and batch
    order are those of base network 0.

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
        """Train once and collect the networks at the ends of the last cycles."""
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
