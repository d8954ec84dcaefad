"""Proposal: stochastic representations of several teachers instead of masks on one.

Why: masks on one embedding are no new hypotheses; separately trained networks are. Their embeddings have no common coordinates,
so what the student learns is the mean of the softened probabilities of all representations, each under its own teacher's head.
Teachers that fit their training cases perfectly say almost nothing beyond the labels there; with `mixup` teachers and student are
compared on mixtures of two cases, where the teachers differ (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient
and consistent"). Mixing is an augmentation that no other row has: a gain must be judged with that in mind.

Cost under `fast`: 5 + 0.25 = 5.25 trainings; with `mixup` every student step carries five forward passes, (3 + 5) / 3 plain steps:
5 + 0.25 x 2.67 = 5.67, and 7.67 with student_epochs=100. Inference 1x.

    ssd-bench run benchmarks/study/proposals.yaml --out results/study/cells/proposals
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ssd_cli.backbones.base import DropoutSite, Network
from ssd_cli.methods import methods
from ssd_cli.methods.base import Predictor, require
from ssd_cli.methods.dropout import StudentMethod
from ssd_cli.methods.trainings import Training, member
from ssd_cli.training.losses import softened_kl
from ssd_cli.training.objective import Batch, Objective
from ssd_cli.training.predict import freeze, outputs

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.recipe import Recipe
    from ssd_cli.training.workbench import Workbench


@methods.register("ssd-ensemble")
@dataclass(frozen=True)
class SSDEnsemble(StudentMethod):
    """A student of several teachers with dropout on, started from the first of them, taught by the mean of their probabilities.

    Parameters
    ----------
    members : int
        Teachers; the first is the teacher of ssd.
    representations : int
        Masks on the embedding of every teacher; 6 for each of 5 are the 30 of ssd.
    temperature, distillation_weight : float
        Of the divergence, as in `kd`; its weight as in `ssd`, the cross-entropy has the rest.
    mixup : bool
        Learn from mixtures of two cases of a batch, in a proportion drawn uniformly for every step.
    """

    members: int = 5
    representations: int = 6
    temperature: float = 4.0
    distillation_weight: float = 0.5
    mixup: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.members >= 2, f"members must be at least 2, not {self.members}")
        require(self.representations >= 1, f"representations must be at least 1, not {self.representations}")
        require(self.temperature > 0, f"temperature must be above 0, not {self.temperature}")
        require(0 <= self.distillation_weight <= 1, f"distillation_weight must lie between 0 and 1, not {self.distillation_weight}")
        require(self.dropout_sites == "embed", "the proposal masks embeddings only: leave dropout_sites=embed")

    @property
    def at_once(self) -> int:
        """All teachers."""
        return self.members

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the teachers, then the student."""
        teachers = [freeze(network) for network in workbench.members(range(self.members), self.rates)]
        student = workbench.copy(teachers[0])
        workbench.train(student, Crowd(teachers, self, workbench), epochs=self.budget(workbench.recipe), purpose="student")
        return Predictor([student], teacher=teachers[0])

    def trainings(self, recipe: Recipe) -> tuple[Training, ...]:
        """Every teacher; the student, whose steps carry a forward pass of each teacher if cases are mixed."""
        teachers = (member(recipe, index, dropout=self.rates) for index in range(self.members))
        return *teachers, Training(self.budget(recipe), step=(3 + self.members) / 3 if self.mixup else 1)


class Crowd(Objective):
    """Cross-entropy, and divergence from the mean softened probabilities of all representations of all teachers.

    Parameters
    ----------
    teachers : list of Network
        Frozen.
    settings : SSDEnsemble
    workbench : Workbench
        Gives the random streams and the teachers' execution.
    """

    def __init__(self, teachers: list[Network], settings: SSDEnsemble, workbench: Workbench) -> None:
        super().__init__()
        self.settings = settings
        self.teachers = [workbench.bind(teacher) for teacher in teachers]
        self.heads = [teacher.classifier for teacher in teachers]
        self.site = DropoutSite(settings.rates.embed)
        self.site.generator = workbench.rng("teacher masks")
        self.mixing = workbench.rng("mixup")
        self.streams = (self.site.generator, self.mixing)

    def prepare(self, x: Tensor) -> None:
        """Let every teacher embed all training cases once."""
        self.embeddings = [outputs(teacher, x)[1] for teacher in self.teachers]

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Weighted cross-entropy "ce" and divergence "kd"."""
        weight, temperature = self.settings.distillation_weight, self.settings.temperature
        if not self.settings.mixup:
            logits, target = network(batch.x).logits, self._target([known[batch.index] for known in self.embeddings])
            ce = functional.cross_entropy(logits, batch.y)
        else:
            share = torch.rand((), generator=self.mixing, device=batch.x.device, dtype=batch.x.dtype)
            partner = torch.randperm(len(batch.y), generator=self.mixing, device=batch.x.device)
            x = share * batch.x + (1 - share) * batch.x[partner]
            with torch.no_grad():
                target = self._target([teacher(x).embedding for teacher in self.teachers])
            logits = network(x).logits
            own, other = (functional.cross_entropy(logits, y) for y in (batch.y, batch.y[partner]))
            ce = share * own + (1 - share) * other
        return {"ce": (1 - weight) * ce, "kd": weight * softened_kl(target, logits, temperature)}

    @torch.no_grad()
    def _target(self, embeddings: list[Tensor]) -> Tensor:
        """Mean softened probabilities (n_cases, n_classes) under fresh masks on the teachers' embeddings, each (n_cases, size)."""
        n, means = self.settings.representations, []
        for embedding, head in zip(embeddings, self.heads, strict=True):
            masked = self.site(embedding.repeat_interleave(n, dim=0))
            means.append((head(masked) / self.settings.temperature).softmax(-1).unflatten(0, (-1, n)).mean(1))
        return torch.stack(means).mean(0)
