"""One network, trained by the recipe: the baseline of every comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.registry import methods

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("single")
@dataclass(frozen=True)
class Single(Method):
    """One network, trained by the recipe."""

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Return base network 0."""
        return Predictor([workbench.base_network()])
