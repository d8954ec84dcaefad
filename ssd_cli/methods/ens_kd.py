"""Knowledge distillation from an ensemble to one network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Predictor, refuse_idle, require
from ssd_cli.methods.kd import KD, Average
from ssd_cli.methods.registry import methods
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("ens-kd")
@dataclass(frozen=True)
class EnsKD(KD):
    """Ensemble distillation: a fresh student learns from labels and from the softened outputs of several networks.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; the loss is that of `kd`. The teachers are the networks of
    `ens-avg`; the student has the initialisation and the batch order of the next base network.

    Parameters
    ----------
    temperature, ce_weight, kd_weight
        See `kd`.
    members : int
        Teachers. Default that of `ens-avg`.
    target : {"logits", "probabilities"}
        What is averaged over the teachers: logits, which are softened afterwards, or softened probabilities.
    """

    members: int = 5
    target: Average = "logits"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.members >= 1, f"members must be at least 1, not {self.members}")
        refuse_idle(self, {"target": self.members > 1 and self.kd_weight > 0})

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train a fresh student."""
        teachers = [freeze(teacher) for teacher in workbench.base_networks(range(self.members))]
        student, objective = workbench.fresh(self.members), self.objective(teachers, workbench, self.target)
        workbench.train(student, objective, purpose="member", index=self.members, label="student")
        return Predictor([student])
