"""Knowledge distillation from an ensemble to one network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ssd_cli.methods.base import Predictor, refuse_idle, require
from ssd_cli.methods.kd import KD, SoftLabels
from ssd_cli.methods.registry import methods
from ssd_cli.training.predict import freeze, outputs

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("ens-kd")
@dataclass(frozen=True)
class EnsKD(KD):
    """Ensemble distillation: a fresh student learns from labels and from the softened outputs of several networks.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; the loss is that of `kd`. The teachers are the members of
    `ens-avg`; the student has the initialisation and the batch order of the member after them.

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
    target: Literal["logits", "probabilities"] = "logits"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.members >= 1, f"members must be at least 1, not {self.members}")
        refuse_idle(self, {"target": self.members > 1 and self.kd_weight > 0})

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Teach a fresh student."""
        teachers = [workbench.bind(freeze(teacher)) for teacher in workbench.base_networks(range(self.members))]
        student = workbench.fresh(self.members)
        workbench.train(student, EnsembleLabels(teachers, self), purpose="member", index=self.members, label="student")
        return Predictor([student])


class EnsembleLabels(SoftLabels):
    """The objective of `kd` with several frozen teachers, each asked once about all training cases."""

    resumable = True

    def __init__(self, teachers: Sequence[Network], settings: EnsKD) -> None:
        super().__init__(teachers[0], settings)
        self.teachers = teachers
        self.average = settings.target

    def prepare(self, x: Tensor) -> None:
        """Ask the teachers; soften what they say before or after it is averaged."""
        logits = torch.stack([outputs(teacher, x)[0] for teacher in self.teachers]) / self.settings.temperature
        self.targets = logits.softmax(-1).mean(0) if self.average == "probabilities" else logits.mean(0).softmax(-1)
