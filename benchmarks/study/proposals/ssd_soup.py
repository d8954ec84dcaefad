"""Proposal: a soup of several `ssd` students of one teacher (Wortsman et al. 2022).

Why: students that start from one teacher stay in one basin, so their weights may be averaged; they differ in batch order and in the
masks each case meets, which is the diversity `ssd` otherwise spends on a target's noise. Cost: 1 + 5 x 0.25 = 2.25 trainings under
`fast`; inference 1x.

    ssd-bench run benchmarks/study/proposals.yaml --out results/study/cells/proposals
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods import methods
from ssd_cli.methods.base import Predictor, require
from ssd_cli.methods.ssd import SSD
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.methods.trainings import Training
from ssd_cli.training.averaging import mean_of
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.recipe import Recipe
    from ssd_cli.training.workbench import Workbench


@methods.register("ssd-soup")
@dataclass(frozen=True)
class SSDSoup(SSD):
    """The mean of the weights of several ssd students of one teacher, which differ in batch order and dropout masks.

    Parameters
    ----------
    students : int
        With one it is ssd, but for batch-norm statistics that are estimated anew.
    """

    students: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.students >= 1, f"students must be at least 1, not {self.students}")
        require(self.student_init == "teacher", "students of separate starts cannot be averaged: leave student_init=teacher")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the teacher, then each student, and average them."""
        teacher = freeze(self._teacher(workbench))
        states = []
        for index in range(self.students):
            student = workbench.copy(teacher)
            objective = StudentGuided(teacher, self, workbench, student.embedding_size)
            budget, label = self.budget(workbench.recipe), f"student {index}"
            workbench.train(student, objective, epochs=budget, purpose="student", index=index, label=label)
            states.append(student.state_dict())
        student.load_state_dict(mean_of(states))
        return Predictor([workbench.refresh_batch_norm(student)], teacher=self.deploy(teacher, workbench))

    def trainings(self, recipe: Recipe) -> tuple[Training, ...]:
        """The teacher, and every student."""
        teacher, student = super().trainings(recipe)
        return teacher, *(self.students * (student,))
