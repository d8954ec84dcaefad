"""Narrow networks: trained alone, the control of all methods that distil into one, and by knowledge distillation."""

from __future__ import annotations

from dataclasses import dataclass

from ssd_cli.methods import methods
from ssd_cli.methods.base import Backbone, Method, Network, Predictor, TrainingSet, Workbench
from ssd_cli.methods.kd import KD
from ssd_cli.training.objective import CrossEntropy, Objective
from ssd_cli.training.predict import freeze


@methods.register("single-small")
@dataclass(frozen=True)
class SingleSmall(Method):
    """One network of the backbone's narrow version, a tenth of the size (LITE: a fifth), trained by the recipe on labels alone.

    This is the control of `kd-small` and `embed-distill`, whose students start from the same weights, and of `ssd-small`.
    """

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        return why_not_narrow(backbone)

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        return Predictor([train_small(untrained(workbench), CrossEntropy(), workbench)])


@methods.register("kd-small")
@dataclass(frozen=True)
class KDSmall(KD):
    """Knowledge distillation into a small student: `kd` into the backbone's narrow version.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network". The teacher is `single`; the student starts as
    `single-small`.
    """

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        return why_not_narrow(backbone)

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        teacher = freeze(workbench.base_network())
        student = train_small(untrained(workbench), self.objective([teacher], workbench), workbench)
        return Predictor([student], teacher=teacher)


def why_not_narrow(backbone: Backbone) -> str | None:
    """Return the reason to skip a cell if its backbone has no narrow version, or None."""
    try:
        backbone.narrow()
    except ValueError as error:
        return str(error)
    return None


def untrained(workbench: Workbench) -> Network:
    """Return the untrained narrow network that all small methods start from."""
    return workbench.fresh(0, backbone=workbench.backbone.narrow())


def train_small(network: Network, objective: Objective, workbench: Workbench) -> Network:
    """Train a narrow network for the recipe's epochs, in the batch order of `single`, and return it."""
    return workbench.train(network, objective, purpose="member", label="small network")
