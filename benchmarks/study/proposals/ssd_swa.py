"""Proposal: `ssd` whose student, and on request whose teacher, is a mean of weights (Izmailov et al. 2018).

Why: the ensemble's gain at one network's inference cost is what weight averaging is for, and the student of `ssd` starts where
averaging works: in its teacher's basin. Cost: 1 + 0.25 trainings under `fast`, as `ssd`; inference 1x.

    ssd-bench run benchmarks/study/proposals.yaml --out results/study/cells/proposals
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods import methods
from ssd_cli.methods.base import Predictor, require
from ssd_cli.methods.ssd import SSD
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.training.averaging import RunningMean
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench

_START = 0.75
"""Of the teacher's epochs, as in the method `swa`."""


@methods.register("ssd-swa")
@dataclass(frozen=True)
class SSDSWA(SSD):
    """ssd whose student is the mean of its weights at the ends of its epochs, trained at a constant learning rate.

    Parameters
    ----------
    learning_rate : float
        Constant rate while averaging; the default is that of `swa`.
    averaged_teacher : bool
        The teacher is averaged too: over the last quarter of its epochs, as in `swa`, with dropout on.
    """

    learning_rate: float = 5e-4
    averaged_teacher: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.learning_rate > 0, f"learning_rate must be above 0, not {self.learning_rate}")
        require(not self.averaged_teacher or self.teacher_stop == "recipe", "averaged_teacher has a stop rule of its own")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the teacher, then the student, averaging on the way."""
        teacher = freeze(self._teacher(workbench))
        student = self._student(teacher, workbench)
        objective = StudentGuided(teacher, self, workbench, student.embedding_size)
        self._average(student, objective, self.budget(workbench.recipe), "student", workbench)
        return Predictor([student], teacher=self.deploy(teacher, workbench))

    def _teacher(self, workbench: Workbench) -> Network:
        if not self.averaged_teacher:
            return super()._teacher(workbench)
        network = workbench.copy(workbench.member(dropout=self.rates, stop=_START, keep="last"))
        epochs = max(1, workbench.epochs - math.ceil(_START * workbench.epochs))
        return self._average(network, CrossEntropy(), epochs, "swa", workbench)

    def _average(
        self, network: Network, objective: CrossEntropy | StudentGuided, epochs: int, purpose: str, workbench: Workbench
    ) -> Network:
        """Train, and put the mean of the weights with fresh batch-norm statistics in their place."""
        mean = RunningMean()
        plan = {"epochs": epochs, "learning_rate": self.learning_rate}
        workbench.train(network, objective, **plan, shape="constant", keep="last", purpose=purpose, averager=mean)
        network.load_state_dict(mean.state)
        return workbench.refresh_batch_norm(network)
