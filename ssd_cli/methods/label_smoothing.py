"""Label smoothing, and distillation from a virtual teacher that is computed from the label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Network, Positive, Predictor, Share, TrainingSet, Workbench
from ssd_cli.training.objective import Batch, CrossEntropy, Objective, softened_kl


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
        Divide e equally over the other classes (yuanli2333/Teacher-free-Knowledge-Distillation), or over all classes including
        the label's (Szegedy et al., and torch).
    """

    smoothing: Annotated[float, "[0, 0.5)"] = 0.1
    spread: Literal["others", "all"] = "others"

    def parameters_in_use(self) -> dict[str, bool]:
        return {"spread": self.smoothing > 0}

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        n_classes = training_set.n_classes
        # e / (K - 1) on each other class is e K / (K - 1) spread over all classes.
        over_all = self.smoothing * (n_classes / max(1, n_classes - 1) if self.spread == "others" else 1)
        return Predictor([workbench.train(workbench.fresh(0), CrossEntropy(over_all), purpose="member", label="network")])


@methods.register("tfkd-reg")
@dataclass(frozen=True)
class TfKDReg(Method):
    """Teacher-free distillation: one network learns from labels and from a virtual teacher that is always right.

    Yuan et al. 2020, "Revisiting Knowledge Distillation via Label Smoothing Regularization", Tf-KD_reg: the teacher u has
    `correct` on the label and the rest in equal parts on the other classes; loss
    (1 - weight) CE + weight multiplier KL(softmax(u / T) || student). The softmax is of probabilities, as released: with T = 40 the
    target is almost uniform. The release (yuanli2333/Teacher-free-Knowledge-Distillation) has one setting per network. The defaults
    are that of densenet121: T = 40, weight .1, and a divergence that is not divided by the number of classes ("batch_mean").
    Initialisation and batch order are those of `single`.

    Parameters
    ----------
    correct : float
        The teacher's probability of the label. Default of the release.
    temperature : float
        T, of the teacher alone. Default of the release, which also has 10 and 20.
    weight : float
        Weight of the divergence. Default of the release, which also has .5 and .95.
    multiplier : float
        Second factor of the divergence. The other released settings have 1 to 100 and divide by the number of classes, 100.
    """

    correct: Annotated[float, "[0.5, 1]"] = 0.99
    temperature: Positive = 40.0
    weight: Share = 0.1
    multiplier: Positive = 1.0

    def parameters_in_use(self) -> dict[str, bool]:
        return dict.fromkeys(("correct", "temperature", "multiplier"), self.weight > 0)

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        return Predictor([workbench.train(workbench.fresh(0), VirtualTeacher(self), purpose="member", label="network")])


class VirtualTeacher(Objective):
    """Cross-entropy with the labels, and divergence from the softened virtual teacher."""

    resumable = True

    def __init__(self, settings: TfKDReg) -> None:
        super().__init__()
        self.settings = settings

    def targets(self, y: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
        """Return the teacher's softened probabilities (n_cases, n_classes) for labels y (n_cases,)."""
        settings, n_others = self.settings, n_classes - 1
        # Softmax of two values, with the larger one subtracted so that a low temperature does not overflow.
        other = math.exp(((1 - settings.correct) / max(1, n_others) - settings.correct) / settings.temperature)
        label = 1 / (1 + n_others * other)
        found = torch.full((len(y), n_classes), other * label, dtype=dtype, device=y.device)
        return found.scatter(1, y[:, None], label)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return weighted cross-entropy "ce" and divergence "virtual"; with weight 0 the divergence is left out."""
        settings = self.settings
        logits = network(batch.x).logits
        losses = {"ce": (1 - settings.weight) * functional.cross_entropy(logits, batch.y)}
        if settings.weight:
            targets = self.targets(batch.y, logits.shape[1], logits.dtype)
            losses["virtual"] = settings.weight * settings.multiplier * softened_kl(targets, logits, 1.0)
        return losses
