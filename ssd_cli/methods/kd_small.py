"""Knowledge distillation from a network into its narrow version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Predictor
from ssd_cli.methods.kd import KD
from ssd_cli.methods.registry import methods
from ssd_cli.methods.single_small import train_small, untrained, why_not_narrow
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("kd-small")
@dataclass(frozen=True)
class KDSmall(KD):
    """Knowledge distillation into a small student: `kd` into the backbone's narrow version.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network". The teacher is `single`; the student starts as
    `single-small`.
    """

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        """See `why_not_narrow`."""
        return why_not_narrow(backbone)

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train a narrow student on the labels and on the teacher's outputs."""
        teacher = freeze(workbench.base_network())
        student = train_small(untrained(workbench), self.objective([teacher], workbench), workbench)
        return Predictor([student], teacher=teacher)
