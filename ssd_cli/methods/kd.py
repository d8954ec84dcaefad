"""Knowledge distillation from one network to another of the same architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional

from ssd_cli.methods.base import Method, Predictor, refuse_idle, require
from ssd_cli.methods.registry import methods
from ssd_cli.training.losses import softened_kl
from ssd_cli.training.objective import Batch, Objective
from ssd_cli.training.predict import freeze, outputs

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("kd")
@dataclass(frozen=True)
class KD(Method):
    """Knowledge distillation: a fresh student learns from labels and from the teacher's softened probabilities.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; loss ce_weight CE + kd_weight T**2 KL(teacher || student).
    The teacher is member 0. The student has the initialisation and the batch order of member 1, another network than its teacher.

    Parameters
    ----------
    temperature : float
        T, of teacher and student. Default of megvii-research/mdistiller.
    ce_weight : float
        Weight of the cross-entropy. Default of mdistiller.
    kd_weight : float
        Weight of the divergence. Default of mdistiller.
    """

    temperature: float = 4.0
    ce_weight: float = 0.1
    kd_weight: float = 0.9

    def __post_init__(self) -> None:
        require(self.temperature > 0, f"temperature must be above 0, not {self.temperature}")
        require(self.ce_weight >= 0, f"ce_weight must be at least 0, not {self.ce_weight}")
        require(self.kd_weight >= 0, f"kd_weight must be at least 0, not {self.kd_weight}")
        require(self.ce_weight + self.kd_weight > 0, "ce_weight and kd_weight must not both be 0")
        refuse_idle(self, {"temperature": self.kd_weight > 0})

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Teach a fresh student."""
        teacher = freeze(workbench.base_network())
        student = workbench.fresh(1)
        workbench.train(student, SoftLabels(workbench.bind(teacher), self), purpose="member", index=1, label="student")
        return Predictor([student], teacher=teacher)


class SoftLabels(Objective):
    """Cross-entropy with the labels and divergence from a frozen teacher's softened probabilities.

    The teacher is deterministic and the series are not augmented, so its logits are computed once.
    """

    resumable = True

    def __init__(self, teacher: Network, settings: KD) -> None:
        super().__init__()
        self.teacher = teacher
        self.settings = settings

    def prepare(self, x: Tensor) -> None:
        """Ask the teacher once about all training cases."""
        logits, _ = outputs(self.teacher, x)
        self.targets = (logits / self.settings.temperature).softmax(-1)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """The teacher's softened probabilities."""
        return (self.targets,)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Weighted cross-entropy "ce" and divergence "kd"; a term without weight is left out."""
        settings = self.settings
        logits = network(batch.x).logits
        losses = {}
        if settings.ce_weight:
            losses["ce"] = settings.ce_weight * functional.cross_entropy(logits, batch.y)
        if settings.kd_weight:
            losses["kd"] = settings.kd_weight * softened_kl(self.targets[batch.index], logits, settings.temperature)
        return losses
