"""Knowledge distillation into the same architecture: from one network, from several, or from the previous generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ssd_cli.methods import methods
from ssd_cli.methods.base import Count, Method, Network, NonNegative, Positive, Predictor, TrainingSet, Workbench, require
from ssd_cli.training.objective import Batch, Objective, softened_kl
from ssd_cli.training.predict import freeze, outputs

Average = Literal["logits", "probabilities"]


@methods.register("kd")
@dataclass(frozen=True)
class KD(Method):
    """Knowledge distillation: a fresh student learns from labels and from the teacher's softened probabilities.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; loss ce_weight CE + kd_weight T**2 KL(teacher || student).
    The teacher is base network 0. The student has the initialisation and the batch order of base network 1.

    Parameters
    ----------
    temperature : float
        T, of teacher and student. Default of megvii-research/mdistiller.
    ce_weight : float
        Weight of the cross-entropy. Default of mdistiller.
    kd_weight : float
        Weight of the divergence. Default of mdistiller.
    """

    temperature: Positive = 4.0
    ce_weight: NonNegative = 0.1
    kd_weight: NonNegative = 0.9

    def check_parameters(self) -> None:
        require(self.ce_weight + self.kd_weight > 0, "ce_weight and kd_weight must not both be 0")

    def parameters_in_use(self) -> dict[str, bool]:
        return {"temperature": self.kd_weight > 0}

    @property
    def fits_labels(self) -> bool:
        """Whether the labels have a weight."""
        return self.ce_weight > 0

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        teacher = freeze(workbench.base_network())
        objective = self.objective([teacher], workbench)
        student = workbench.train(workbench.fresh(1), objective, purpose="member", index=1, label="student")
        return Predictor([student], teacher=teacher)

    def objective(self, teachers: Sequence[Network], workbench: Workbench, average: Average = "logits") -> SoftLabels:
        """Return the student's objective for frozen teachers."""
        bound = [workbench.bind(teacher) for teacher in teachers]
        return SoftLabels(bound, self.temperature, self.ce_weight, self.kd_weight, average)


@methods.register("ens-kd")
@dataclass(frozen=True)
class EnsKD(KD):
    """Ensemble distillation: a fresh student learns from labels and from the softened outputs of several networks.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; the loss is that of `kd`. The teachers are the networks of
    `ens-avg`; the student has the initialisation and the batch order of the next base network.

    Parameters
    ----------
    members : int
        Number of teachers. Default of `ens-avg`.
    target : {"logits", "probabilities"}
        What is averaged over the teachers: logits, which are softened afterwards, or softened probabilities.
    """

    members: Count = 5
    target: Average = "logits"

    def parameters_in_use(self) -> dict[str, bool]:
        return super().parameters_in_use() | {"target": self.members > 1 and self.kd_weight > 0}

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        teachers = [freeze(teacher) for teacher in workbench.base_networks(range(self.members))]
        student, objective = workbench.fresh(self.members), self.objective(teachers, workbench, self.target)
        return Predictor([workbench.train(student, objective, purpose="member", index=self.members, label="student")])


class SoftLabels(Objective):
    """Cross-entropy with the labels, and divergence from the softened probabilities of frozen teachers.

    The teachers' logits are computed once. `average` is the target of `EnsKD`.
    """

    resumable = True

    def __init__(
        self,
        teachers: Sequence[Network],
        temperature: float = 1.0,
        ce_weight: float = 1.0,
        kd_weight: float = 1.0,
        average: Average = "logits",
    ) -> None:
        super().__init__()
        self.teachers, self.average = teachers, average
        self.temperature, self.ce_weight, self.kd_weight = temperature, ce_weight, kd_weight

    def prepare(self, x: Tensor) -> None:
        logits = torch.stack([outputs(teacher, x)[0] for teacher in self.teachers]) / self.temperature
        self.targets = logits.softmax(-1).mean(0) if self.average == "probabilities" else logits.mean(0).softmax(-1)

    def fingerprint_inputs(self) -> Sequence[Tensor]:
        return (self.targets,)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return weighted cross-entropy "ce" and divergence "kd"; a term with weight 0 is left out."""
        logits = network(batch.x).logits
        losses = {}
        if self.ce_weight:
            losses["ce"] = self.ce_weight * functional.cross_entropy(logits, batch.y)
        if self.kd_weight:
            losses["kd"] = self.kd_weight * softened_kl(self.targets[batch.index], logits, self.temperature)
        return losses


@methods.register("ban-k")
@dataclass(frozen=True)
class BAN(Method):
    """Born-again networks: each generation is a fresh network that learns from labels and from the one before; the last counts.

    Furlanello et al. 2018, "Born Again Neural Networks"; loss ce_weight CE + KL(teacher || student). Generation 0 is base network
    0, and generation g has the initialisation and the batch order of base network g. The last generation is deployed, also where an
    earlier one is better.

    Parameters
    ----------
    generations : int
        Number of generations after generation 0. Default ours; grid 1, 2, 3, 5; 0 is `single`.
    ce_weight : float
        Weight of the labels: 1 is the paper's variant with labels (BAN+L), 0 its variant with the teacher only (BAN).
    """

    generations: Annotated[int, "[0, inf)"] = 3
    ce_weight: NonNegative = 1.0

    def parameters_in_use(self) -> dict[str, bool]:
        return {"ce_weight": self.generations > 0}

    @property
    def fits_labels(self) -> bool:
        """Whether the labels have a weight."""
        return self.ce_weight > 0

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        *earlier, last = self.train_generations(workbench)
        return Predictor([last], teacher=earlier[-1] if earlier else None)

    def train_generations(self, workbench: Workbench) -> list[Network]:
        """Return base network 0 and the generations after it; the temperature is 1, as published."""
        networks = [freeze(workbench.base_network())]
        for generation in range(1, self.generations + 1):
            objective = SoftLabels([workbench.bind(networks[-1])], ce_weight=self.ce_weight)
            student = workbench.fresh(generation)
            workbench.train(student, objective, purpose="member", index=generation, label=f"generation {generation}")
            networks.append(freeze(student))
        return networks


@methods.register("ban-ens-k")
@dataclass(frozen=True)
class BANEns(BAN):
    """The ensemble of born-again networks: the mean of the probabilities of all generations except generation 0.

    Furlanello et al. 2018, "Born Again Neural Networks". The generations, at least one, are those of `ban-k`.
    """

    generations: Count = 3

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        return Predictor(self.train_generations(workbench)[1:])
