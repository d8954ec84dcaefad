"""Further training of the teacher of `ssd` on labels alone: the control for the student's extra epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Predictor
from ssd_cli.methods.dropout import StudentMethod
from ssd_cli.methods.registry import methods
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("finetune")
@dataclass(frozen=True)
class Finetune(StudentMethod):
    """The teacher of ssd, trained further with labels alone: what the student's extra epochs are worth without distillation.

    Parameters
    ----------
    dropout, dropout_sites, mid_dropout
        See `single-dropout`.
    student_epochs : int, optional
        Further epochs; None: the recipe's budget of a student.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train a copy of the teacher for the student's epochs."""
        teacher = freeze(workbench.base_network(dropout=self.rates))
        return self.train_student(workbench.copy(teacher), teacher, CrossEntropy(), workbench)
