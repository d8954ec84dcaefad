"""Control: students that start at another learning rate than their teacher did.

Why: a student of `ssd` starts from a trained network, at the recipe's 1e-3 again. If that jump is what costs it accuracy, it costs
every student the same, and hides what their targets do. Aslam et al.'s search had 1e-4 beside 1e-3.

    ssd-bench run benchmarks/study/controls.yaml --out results/study/cells/controls
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods import methods
from ssd_cli.methods.base import Predictor, require
from ssd_cli.methods.finetune import Finetune
from ssd_cli.methods.ssd import SSD
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("ssd-gentle")
@dataclass(frozen=True)
class SSDGentle(SSD):
    """`ssd` with a learning rate of the student's own; all else is as in `ssd`.

    Parameters
    ----------
    learning_rate : float
        Of the student's first epoch.
    """

    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.learning_rate > 0, f"learning_rate must be above 0, not {self.learning_rate}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the teacher, then the student at its own rate."""
        teacher = freeze(self._teacher(workbench))
        student = self._student(teacher, workbench)
        objective = StudentGuided(teacher, self, workbench, student.embedding_size)
        budget = self.budget(workbench.recipe)
        workbench.train(student, objective, epochs=budget, learning_rate=self.learning_rate, purpose="student")
        return Predictor([self.deploy(student, workbench)], teacher=self.deploy(teacher, workbench))


@methods.register("finetune-gentle")
@dataclass(frozen=True)
class FinetuneGentle(Finetune):
    """`finetune` at a learning rate of its own: the control of `ssd-gentle`.

    Parameters
    ----------
    learning_rate : float
        Of the first further epoch.
    """

    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.learning_rate > 0, f"learning_rate must be above 0, not {self.learning_rate}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train a copy of the teacher for the student's epochs, at its own rate."""
        teacher = freeze(workbench.member(dropout=self.rates))
        student = workbench.copy(teacher)
        budget = self.budget(workbench.recipe)
        workbench.train(student, CrossEntropy(), epochs=budget, learning_rate=self.learning_rate, purpose="student")
        return Predictor([self.deploy(student, workbench)], teacher=self.deploy(teacher, workbench))
