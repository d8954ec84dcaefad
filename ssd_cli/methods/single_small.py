"""A narrow network trained alone: the control of every method that distils into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.registry import methods
from ssd_cli.methods.trainings import Training
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.objective import Objective
    from ssd_cli.training.recipe import Recipe
    from ssd_cli.training.workbench import Workbench

STEP = 0.35
"""What a step of a narrow network costs, in steps of the whole one: Inception .28, LITE .48 (results/study/costs_small_*.csv)."""


@methods.register("single-small")
@dataclass(frozen=True)
class SingleSmall(Method):
    """One network of the backbone's narrow version, about a tenth of the size, trained by the recipe on labels alone.

    What `kd-small` and `embed-distill` have to beat: their students start from the same weights and see the same batches.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train it."""
        return Predictor([train_small(untrained(workbench), CrossEntropy(), workbench)])

    def trainings(self, recipe: Recipe) -> tuple[Training, ...]:
        """One full training of its own."""
        assert recipe.epochs is not None
        return (Training(recipe.epochs, step=STEP),)


def untrained(workbench: Workbench) -> Network:
    """The narrow network that every small method starts from.

    Raises
    ------
    ValueError
        The backbone has no narrow version.
    """
    return workbench.fresh(0, backbone=workbench.backbone.narrow())


def train_small(network: Network, objective: Objective, workbench: Workbench) -> Network:
    """Train a narrow network for the recipe's epochs, in the batch order of `single`."""
    return workbench.train(network, objective, purpose="member", label="small network")
