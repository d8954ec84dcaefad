"""Stochastic self-distillation with student guidance, the main method of this benchmark.

Aslam et al. 2025 (arXiv 2504.14307; released code haseebaslam95/SSD): a teacher with dropout gives N representations of each case.
A student starts from the teacher's weights, and learns a mean of the representations most similar to its own (`StudentGuided`).

The released code activates no dropout, so that all its representations are equal; its student starts at random and is in eval mode
from the second epoch on. The defaults here are those of the paper; `ssd-legacy` reproduces the released code. "Released" marks a
value of that code. With dropout at the site `embed` only, each representation is the teacher's embedding without some coordinates,
and ranking them mildly amplifies the dominant coordinates. `ssd-mid` is closer to the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from ssd_cli.backbones.base import NO_DROPOUT
from ssd_cli.methods import methods
from ssd_cli.methods.attention import Guidance, Guide
from ssd_cli.methods.base import Backbone, Count, Network, Positive, Predictor, Share, TrainingSet, Workbench, require
from ssd_cli.methods.dropout import StudentMethod
from ssd_cli.methods.small import why_not_narrow
from ssd_cli.methods.student_guided import FeatureLoss, LogitLoss, LossParameters, StudentGuided
from ssd_cli.training.predict import freeze

_EARLY = {"early25": 0.25, "early50": 0.5, "early75": 0.75}


@methods.register("ssd")
@dataclass(frozen=True)
class SSD(StudentMethod):
    """Stochastic self-distillation: the student selects which of its teacher's stochastic representations it learns.

    Parameters
    ----------
    representations : int
        N, stochastic passes of the teacher. Released: 30.
    stochastic : bool
        False switches the dropout of the representations off, which makes them equal; the released settings do.
    guidance : {"student", "random", "label"}
        What ranks the representations: the student's similarity (paper), random numbers, or the likelihood of the label under the
        teacher's head. The last two are controls of ours.
    scale : {"raw", "sqrtd", "cosine"}
        Scale of the similarity: dot product (released), dot product divided by sqrt(size), or cosine.
    temperature : float or "inf"
        Temperature tau of the softmax; "inf" gives equal weights. It is text because JSON has no infinity. Released: 5, tuned for
        an embedding of 2250 coordinates.
    weighting : {"softmax", "uniform"}
        Weights of the representations that are kept.
    keep : {"quantile", "topk"}
        Keep those at or above a quantile (paper), or a fixed number.
    quantile : float
        Representations with a score below this quantile are dropped; 0 keeps all. Paper and released: 0.9.
    top_k : int
        Number of kept representations with keep=topk. Released, but unused there: 10.
    detach_attention : bool
        Cut the gradient through the similarity. Released: not cut.
    distillation_weight : float
        Weight lambda of distillation; the cross-entropy has the weight 1 - lambda. Released: 0.5.
    loss : {"mse", "cosine", "cosine-all"}
        Squared error from the target (paper), one minus its cosine, or one minus the mean cosine to all N without a choice (a
        released ablation).
    space : {"feature", "logit", "both"}
        Distil the embedding, or the softened probabilities of the teacher's head, mixed by the same weights, or both.
    kl_weight : float
        Weight of the divergence with space=both; space=logit uses distillation_weight. Released, but commented out: 0.5.
    kl_temperature : float
        Temperature of the divergence. Released: 2.
    kl_last_pass : bool
        Use the divergence from the last stochastic pass only, as released, instead of the mixture.
    renormalise : bool
        Rescale the target to the length of the teacher's embedding, against inflation of norms. Ours.
    student_init : {"teacher", "random"}
        Start from the teacher's weights (paper) or from fresh ones (released; here by the recipe's initialisation, with the
        batch-norm momentum of the student's epochs).
    student : {"same", "narrow"}
        A student of the backbone's narrow version has another embedding; a linear map, dropped after training, takes it to the
        teacher's size. It cannot start from the teacher.
    teacher_stop : {"recipe", "last", "early25", "early50", "early75"}
        Teacher weights: those that the recipe keeps, those of the last epoch, or those after 25, 50 or 75 % of the epochs.
    legacy_eval : bool
        Leave the student in eval mode from the second epoch on, as the released script does by mistake. An epoch there has about 27
        steps, after which running statistics are near those of the training set; here they are estimated from it at that point.
    """

    representations: Count = 30
    stochastic: bool = True
    guidance: Guide = "student"
    scale: Literal["raw", "sqrtd", "cosine"] = "raw"
    temperature: Literal["inf"] | float = 5.0
    weighting: Literal["softmax", "uniform"] = "softmax"
    keep: Literal["quantile", "topk"] = "quantile"
    quantile: float = 0.9
    top_k: int = 10
    detach_attention: bool = False
    distillation_weight: Share = 0.5
    loss: Literal["mse", "cosine", "cosine-all"] = "mse"
    space: Literal["feature", "logit", "both"] = "feature"
    kl_weight: Positive = 0.5
    kl_temperature: Positive = 2.0
    kl_last_pass: bool = False
    renormalise: bool = False
    student_init: Literal["teacher", "random"] = "teacher"
    student: Literal["same", "narrow"] = "same"
    teacher_stop: Literal["recipe", "last", "early25", "early50", "early75"] = "recipe"
    legacy_eval: bool = False

    def check_parameters(self) -> None:
        if self.temperature == math.inf:
            object.__setattr__(self, "temperature", "inf")
        n = self.representations
        require(
            self.keep != "topk" or self.top_k <= n, f"top_k must be at most the number of representations, {n}, not {self.top_k}"
        )
        starts = self.student != "narrow" or self.student_init == "random"
        require(starts, "student=narrow cannot start from the teacher: add student_init=random")
        untrained = self.distillation_weight == 1 and self.space == "feature" and self.student_init == "random"
        require(not untrained, "distillation_weight=1 would leave the classifier of a random student untrained")

    @property
    def parameters(self) -> LossParameters:
        """The parameters of the objective, in groups."""
        weight = self.distillation_weight
        logit_weight = {"feature": 0.0, "logit": weight, "both": self.kl_weight}[self.space]
        return LossParameters(
            self.representations,
            self.rates if self.stochastic else NO_DROPOUT,
            Guidance(**{parameter.name: getattr(self, parameter.name) for parameter in fields(Guidance)}),
            FeatureLoss(0.0 if self.space == "logit" else weight, self.loss, self.renormalise),
            LogitLoss(logit_weight, self.kl_temperature, self.kl_last_pass),
            1 - weight,
            self.legacy_eval,
        )

    def parameters_in_use(self) -> dict[str, bool]:
        """Return whether each parameter changes the result by more than rounding, given the other parameters.

        Several values of a parameter may still have the same effect: quantile=0.9, quantile=0.91 and top_k=3 keep the same three of
        30 representations.
        """
        loss = self.parameters
        distils = loss.feature.weight > 0 or loss.logit.weight > 0
        dropped = distils and self.rates != NO_DROPOUT
        differ = dropped and self.stochastic
        several = differ and self.representations > 1
        selects = several and (loss.feature.uses_selection or loss.logit.uses_selection)
        return super().parameters_in_use() | {
            "space": distils,
            "stochastic": dropped,
            "representations": differ,
            "kl_weight": self.space == "both",
            **loss.guidance.in_use(self.representations, selects),
            **loss.feature.in_use(differ),
            **loss.logit.in_use(several),
        }

    @property
    def fits_labels(self) -> bool:
        """Whether the labels have a weight."""
        return self.distillation_weight < 1

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        return why_not_narrow(backbone) if self.student == "narrow" else None

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        teacher = freeze(self.train_teacher(workbench))
        student = self.untrained_student(teacher, workbench)
        objective = StudentGuided(teacher, self.parameters, workbench, student.embedding_size)
        return self.train_student(student, teacher, objective, workbench)

    def train_teacher(self, workbench: Workbench) -> Network:
        """Return the network of `single-dropout`, possibly stopped early or with its last weights."""
        if self.teacher_stop in _EARLY:
            return workbench.base_network(dropout=self.rates, stop=_EARLY[self.teacher_stop])
        return workbench.base_network(dropout=self.rates, keep="last" if self.teacher_stop == "last" else None)

    def untrained_student(self, teacher: Network, workbench: Workbench) -> Network:
        """Return the student before its training."""
        if self.student_init == "teacher":
            return workbench.copy(teacher)
        backbone = workbench.backbone.narrow() if self.student == "narrow" else None
        return workbench.fresh(1, self.rates, backbone, epochs=workbench.recipe.students(self.student_share))
