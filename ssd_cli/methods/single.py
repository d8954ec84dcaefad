"""One network, trained by the recipe: the baseline of every comparison."""

from __future__ import annotations

from dataclasses import dataclass

from ssd_cli.methods.base import Method, Predictor, TrainingSet, Workbench
from ssd_cli.methods.registry import methods


@methods.register("single")
@dataclass(frozen=True)
class Single(Method):
    """One network, trained by the recipe."""

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Return base network 0."""
        return Predictor([workbench.base_network()])
