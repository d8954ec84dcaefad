"""Fast geometric ensembling: networks collected where a cyclic learning rate is lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor, TrainingSet, Workbench, require
from ssd_cli.methods.swa import first_part
from ssd_cli.training.averaging import Collector
from ssd_cli.training.objective import CrossEntropy

LONG_CYCLE, LONG_CYCLE_FROM = 4, 40
"""Epochs of a cycle as released, and the smallest number of remaining epochs that uses it; with fewer, a cycle has two."""


@methods.register("fge")
@dataclass(frozen=True)
class FGE(Method):
    """Fast geometric ensembling: the mean of the probabilities of networks collected along the end of one training.

    Garipov et al. 2018, "Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs", with Adam. The first part is
    base network 0, stopped early, with its last weights, as for `swa`. Then the learning rate falls and rises in short cycles, step
    by step, and a network is collected in the middle of each cycle, with its own batch-norm statistics. The release continues with
    the optimiser's state; here the second part starts with new Adam moments. Both parts together have the epochs of one training
    (two if it has one).

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
        """Train base network 0 up to `start`, then train it further in cycles."""
        network, epochs = first_part(self.start, workbench)
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
