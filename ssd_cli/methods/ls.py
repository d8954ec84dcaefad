"""Label smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor, TrainingSet, Workbench
from ssd_cli.training.objective import CrossEntropy


@methods.register("ls")
@dataclass(frozen=True)
class LabelSmoothing(Method):
    """Label smoothing: one network learns from labels of which a part is spread over the other classes.

    Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision"; as a distillation without a teacher: Yuan et
    al. 2020, "Revisiting Knowledge Distillation via Label Smoothing Regularization". Initialisation and batch order are those of
    `single`.

    Parameters
    ----------
    smoothing : float
        e: the label has probability 1 - e. Default of both papers.
    spread : {"others", "all"}
        e in equal parts over the other classes (yuanli2333/Teacher-free-Knowledge-Distillation), or over all, the label's among
        them (Szegedy et al., and torch).
    """

    smoothing: Annotated[float, "[0, 0.5)"] = 0.1
    spread: Literal["others", "all"] = "others"

    def parameters_in_use(self) -> dict[str, bool]:
        return {"spread": self.smoothing > 0}

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train one network."""
        n_classes = training_set.n_classes
        # e / (K - 1) on each other class is e K / (K - 1) spread over all classes.
        over_all = self.smoothing * (n_classes / max(1, n_classes - 1) if self.spread == "others" else 1)
        network = workbench.fresh(0)
        workbench.train(network, CrossEntropy(over_all), purpose="member", label="network")
        return Predictor([network])
