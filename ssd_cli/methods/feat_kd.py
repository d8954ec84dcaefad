"""Feature distillation from the deterministic teacher: `ssd` without stochastic representations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from ssd_cli.methods import methods
from ssd_cli.methods.base import Network, Predictor, Share, TrainingSet, Workbench
from ssd_cli.methods.dropout import StudentMethod
from ssd_cli.training.objective import Batch, Objective
from ssd_cli.training.predict import freeze, outputs


@methods.register("feat-kd")
@dataclass(frozen=True)
class FeatKD(StudentMethod):
    """Feature distillation: the student of ssd learns the teacher's embedding without dropout instead of selected stochastic ones.

    Teacher, student dropout and student epochs are those of `ssd`. So are the teacher's batch norms: with the site `mid` they hold
    statistics collected with dropout.

    Parameters
    ----------
    distillation_weight : float
        Weight of the squared error of the embedding; the cross-entropy has the rest. As `ssd`.
    """

    distillation_weight: Share = 0.5

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train a copy of the teacher towards the teacher's embeddings."""
        teacher = freeze(workbench.base_network(dropout=self.rates))
        objective = EmbeddingTarget(workbench.bind(teacher), self.distillation_weight)
        return self.train_student(workbench.copy(teacher), teacher, objective, workbench)


class EmbeddingTarget(Objective):
    """Cross-entropy, and mean squared error from a frozen teacher's embedding (before the student's own embed dropout)."""

    resumable = True

    def __init__(self, teacher: Network, weight: float) -> None:
        super().__init__()
        self.teacher = teacher
        self.weight = weight

    def prepare(self, x: Tensor) -> None:
        """Compute the teacher's embeddings of all training cases."""
        _, self.targets = outputs(self.teacher, x)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        """Return the teacher's embeddings."""
        return (self.targets,)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return weighted cross-entropy "ce" and squared error "feature"."""
        logits, embedding, _ = network(batch.x)
        return {
            "ce": (1 - self.weight) * functional.cross_entropy(logits, batch.y),
            "feature": self.weight * functional.mse_loss(embedding, self.targets[batch.index]),
        }
