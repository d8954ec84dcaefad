"""One network, trained by the recipe: the baseline of every comparison."""

from __future__ import annotations

from dataclasses import dataclass

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor, TrainingSet, Workbench


@methods.register("single")
@dataclass(frozen=True)
class Single(Method):
    """One network, trained by the recipe."""

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        return Predictor([workbench.base_network()])
