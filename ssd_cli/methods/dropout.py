"""Methods that train networks with dropout, and methods whose student starts from such a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor
from torch.nn import functional

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Network, Predictor, Rate, Share, TrainingSet, Workbench
from ssd_cli.training.objective import Batch, CrossEntropy, Objective
from ssd_cli.training.predict import freeze, outputs

DropoutSites = Literal["embed", "mid", "embed+mid"]
StudentShare = Annotated[float, "(0, 1]"] | None


@dataclass(frozen=True)
class DropoutMethod(Method):
    """A method whose networks are trained with dropout. The published backbones have none; sites and rates are ours.

    `embed` is after all batch norms. The default rate perturbs the embedding by rate / (1 - rate) = 0.25 of its squared norm.

    Parameters
    ----------
    dropout : float
        Rate on the pooled embedding just before the classifier. Default ours; grid 0, .05, .1, .2, .3, .5.
    dropout_sites : {"embed", "mid", "embed+mid"}
        Where dropout acts: `mid` drops whole channels after the first half of the network.
    mid_dropout : float
        Rate of the site `mid`. Default ours; Aslam et al. 2025 composed several layers of 0.1.
    """

    dropout: Rate = 0.2
    dropout_sites: DropoutSites = "embed"
    mid_dropout: Rate = 0.1

    def parameters_in_use(self) -> dict[str, bool]:
        return {"dropout": "embed" in self.dropout_sites, "mid_dropout": "mid" in self.dropout_sites}

    @property
    def rates(self) -> Dropout:
        """The rate of each site; 0 for a site that is not used."""
        embed = self.dropout if "embed" in self.dropout_sites else 0.0
        return Dropout(embed, self.mid_dropout if "mid" in self.dropout_sites else 0.0)

    def deploy(self, network: Network, workbench: Workbench) -> Network:
        """Return the network to deploy: a copy with new batch-norm statistics if the site `mid` is used, else the network itself.

        After that site, statistics were collected with dropped channels, which have a larger variance than without dropout.
        """
        return workbench.refresh_batch_norm(workbench.copy(network)) if self.rates.mid else network


@methods.register("single-dropout")
@dataclass(frozen=True)
class SingleDropout(DropoutMethod):
    """One network, trained by the recipe with dropout: the teacher of ssd by itself."""

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        return Predictor([self.deploy(workbench.base_network(dropout=self.rates), workbench)])


@dataclass(frozen=True)
class StudentMethod(DropoutMethod):
    """A method whose student starts from a teacher; all students have the same batch order and dropout masks.

    Parameters
    ----------
    student_share : float, optional
        Epochs of the student, as a share of the teacher's; None: the recipe's choice (`Recipe.student_epochs`).
    """

    student_share: StudentShare = None

    def train_student(self, student: Network, teacher: Network, objective: Objective, workbench: Workbench) -> Predictor:
        """Train the student and return the predictor that deploys it."""
        workbench.train(student, objective, epochs=workbench.recipe.students(self.student_share), purpose="student")
        return Predictor([self.deploy(student, workbench)], teacher=self.deploy(teacher, workbench))


@methods.register("finetune")
@dataclass(frozen=True)
class Finetune(StudentMethod):
    """The teacher of ssd, trained further with labels alone: what the student's extra epochs are worth without distillation."""

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        teacher = freeze(workbench.base_network(dropout=self.rates))
        return self.train_student(workbench.copy(teacher), teacher, CrossEntropy(), workbench)


@methods.register("feat-kd")
@dataclass(frozen=True)
class FeatKD(StudentMethod):
    """Feature distillation: the student of ssd learns the teacher's embedding without dropout instead of selected stochastic ones.

    Teacher, student dropout and student epochs are those of `ssd`. The teacher's batch norms are also the same: with the site
    `mid` they hold statistics collected with dropout.

    Parameters
    ----------
    distillation_weight : float
        Weight of the squared error of the embedding; the cross-entropy has 1 - distillation_weight. Default of `ssd`.
    """

    distillation_weight: Share = 0.5

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        teacher = freeze(workbench.base_network(dropout=self.rates))
        objective = EmbeddingTarget(workbench.bind(teacher), self.distillation_weight)
        return self.train_student(workbench.copy(teacher), teacher, objective, workbench)


class EmbeddingTarget(Objective):
    """Cross-entropy, and mean squared error from a frozen teacher's embedding (before the student's own embed dropout)."""

    resumable = True

    def __init__(self, teacher: Network, weight: float) -> None:
        super().__init__()
        self.teacher, self.weight = teacher, weight

    def prepare(self, x: Tensor) -> None:
        _, self.targets = outputs(self.teacher, x)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        return (self.targets,)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return weighted cross-entropy "ce" and squared error "feature"."""
        logits, embedding, _ = network(batch.x)
        return {
            "ce": (1 - self.weight) * functional.cross_entropy(logits, batch.y),
            "feature": self.weight * functional.mse_loss(embedding, self.targets[batch.index]),
        }
