"""Stochastic self-distillation with student guidance, the method this benchmark is about.

Aslam et al. 2025 (arXiv 2504.14307; released code haseebaslam95/SSD): a teacher, run N times with dropout on, gives N
representations of every case; a student of the same architecture, started from the teacher's weights, weighs them by similarity
with its own embedding, keeps the best, and is drawn to their mean. One network is deployed.

Known facts about the released code: its published settings activate no dropout layer, so that all representations are equal; its
student is initialised at random although the paper starts from the teacher; from the second epoch on its student is in eval mode.
Defaults here are what the paper intends, and `ssd-legacy` what was released.

What the site `embed` alone cannot do: its representations are masks on the coordinates of one vector, and choosing among them
by dot product is, to first order, a mild sharpening of the dominant coordinates, not a choice between hypotheses. `ssd-mid` is
nearer to the paper's intent.

Ablations beside the named variants (`ssd_variants.py`):

========================================  =============================================================
how many                                  ``ssd[representations=1]``, 2, 5, 10, 20, 50
rate and sites                            ``ssd[dropout=0.5]``, ``ssd[dropout_sites=mid]``
sharpness                                 ``ssd[temperature=inf]``, ``ssd[scale=cosine]``
filter                                    ``ssd[quantile=0.5]``, ``ssd-topk[top_k=3]``
cosine to the chosen mean, to all         ``ssd[loss=cosine]``, ``ssd[loss=cosine-all]``
logits, both, the last pass as released   ``ssd[space=logit]``, ``ssd[space=both]``, ``ssd[space=both,kl_last_pass=true]``
teacher                                   ``ssd[teacher_stop=early50]``, ``ssd[teacher_stop=last]``
start and budget of the student           ``ssd[student_init=random]``, ``ssd[student_epochs=300]``
gradient path                             ``ssd[detach_attention=true]``
no labels                                 ``ssd[distillation_weight=1]``
target as long as the embedding           ``ssd[renormalise=true]``
controls                                  ``finetune``, ``feat-kd``, ``single-dropout``
========================================  =============================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ssd_cli.methods.attention import survivors
from ssd_cli.methods.base import Predictor, refuse_idle, require
from ssd_cli.methods.dropout import StudentMethod
from ssd_cli.methods.registry import methods
from ssd_cli.methods.single_small import why_not_narrow
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.training.predict import freeze

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone, Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench

Guidance = Literal["student", "random", "label"]
TeacherStop = Literal["recipe", "last", "early25", "early50", "early75"]

_EARLY = {"early25": 0.25, "early50": 0.5, "early75": 0.75}


@methods.register("ssd")
@dataclass(frozen=True)
class SSD(StudentMethod):
    """Stochastic self-distillation: the student selects which of its teacher's stochastic representations it learns.

    Parameters
    ----------
    dropout, dropout_sites, mid_dropout
        Of teacher, representations and student; see `single-dropout`. Defaults ours: the released rates belong to another network.
    student_epochs : int, optional
        Epochs of the student; None: the recipe's (100 under `paper`, as released).
    representations : int
        N, stochastic passes of the teacher. Released: 30.
    stochastic : bool
        False switches the dropout of the representations off, and with it all difference between them; the released settings do.
    guidance : {"student", "random", "label"}
        What ranks the representations: the student's similarity (paper), chance, or the likelihood of the label under the teacher's
        head. The last two are controls of ours.
    scale : {"raw", "sqrtd", "cosine"}
        Of the similarity: dot product (released), over sqrt(size), over both norms.
    temperature : float or "inf"
        tau of the softmax; inf makes it flat. (As text: identities are JSON, which has no infinity.) Released: 5, tuned for an
        embedding of 2250 coordinates.
    weighting : {"softmax", "uniform"}
        Weights of the representations that are kept.
    keep : {"quantile", "topk"}
        Keep those at or above a quantile (paper), or a fixed number.
    quantile : float
        Below it a representation is dropped; 0 keeps all. Paper and released: 0.9.
    top_k : int
        How many are kept with keep=topk. Released, but unused there: 10.
    detach_attention : bool
        Cut the gradient through the similarity. Released: not cut.
    distillation_weight : float
        lambda; the cross-entropy has the rest. Released: 0.5.
    loss : {"mse", "cosine", "cosine-all"}
        Squared error from the chosen mean (paper), one minus its cosine, or one minus the mean cosine to all N without any choice
        (a released ablation).
    space : {"feature", "logit", "both"}
        Distil the embedding, or the softened probabilities of the teacher's head, mixed by the same weights, or both.
    kl_weight : float
        Weight of the divergence with space=both; with space=logit it has distillation_weight. Released, commented out: 0.5.
    kl_temperature : float
        Of that divergence. Released: 2.
    kl_last_pass : bool
        Take the divergence from the last stochastic pass only, as released, instead of the mixture.
    renormalise : bool
        Rescale the target to the length of the teacher's embedding, against inflation of norms. Ours.
    student_init : {"teacher", "random"}
        Start from the teacher's weights (paper) or from fresh ones (released; here by the recipe's initialisation, with the
        batch-norm momentum of the student's own epochs).
    student : {"same", "narrow"}
        A student of the backbone's narrow version has another embedding, which a linear map, dropped afterwards, takes to the
        teacher's size; it cannot start from the teacher.
    teacher_stop : {"recipe", "last", "early25", "early50", "early75"}
        Which teacher: as the recipe keeps it, its last epoch, or stopped at this percentage of the epochs.
    legacy_eval : bool
        Leave the student in eval mode from the second epoch on, as the released script does by mistake.
    """

    representations: int = 30
    stochastic: bool = True
    guidance: Guidance = "student"
    scale: Literal["raw", "sqrtd", "cosine"] = "raw"
    temperature: Literal["inf"] | float = 5.0
    weighting: Literal["softmax", "uniform"] = "softmax"
    keep: Literal["quantile", "topk"] = "quantile"
    quantile: float = 0.9
    top_k: int = 10
    detach_attention: bool = False
    distillation_weight: float = 0.5
    loss: Literal["mse", "cosine", "cosine-all"] = "mse"
    space: Literal["feature", "logit", "both"] = "feature"
    kl_weight: float = 0.5
    kl_temperature: float = 2.0
    kl_last_pass: bool = False
    renormalise: bool = False
    student_init: Literal["teacher", "random"] = "teacher"
    student: Literal["same", "narrow"] = "same"
    teacher_stop: TeacherStop = "recipe"
    legacy_eval: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature == math.inf:
            object.__setattr__(self, "temperature", "inf")
        require(self.representations >= 1, f"representations must be at least 1, not {self.representations}")
        require(self.tau > 0, f"temperature must be above 0, not {self.temperature}")
        require(0 <= self.quantile <= 1, f"quantile must lie between 0 and 1, not {self.quantile}")
        require(self.top_k >= 1, f"top_k must be at least 1, not {self.top_k}")
        require(
            self.keep != "topk" or self.top_k <= self.representations,
            f"top_k must be at most the number of representations, {self.representations}, not {self.top_k}",
        )
        weight = self.distillation_weight
        require(0 <= weight <= 1, f"distillation_weight must lie between 0 and 1, not {weight}")
        require(self.kl_weight > 0, f"kl_weight must be above 0, not {self.kl_weight}")
        require(self.kl_temperature > 0, f"kl_temperature must be above 0, not {self.kl_temperature}")
        require(
            self.guidance != "random" or self.weighting == "uniform",
            "guidance=random gives nothing to weigh by: add weighting=uniform",
        )
        require(
            self.student != "narrow" or self.student_init == "random",
            "student=narrow cannot start from the teacher: add student_init=random",
        )
        require(
            not (weight == 1 and self.space == "feature" and self.student_init == "random"),
            "distillation_weight=1 would leave the classifier of a random student untrained",
        )
        refuse_idle(self, self._in_use())

    def _in_use(self) -> dict[str, bool]:
        """Whether each parameter changes more than rounding under the others.

        Not whether its value does: of 30 representations three survive quantile=0.9, quantile=0.91 and top_k=3 alike.
        """
        feature = self.distillation_weight > 0 and self.space != "logit"
        divergence = self.space == "both" or (self.distillation_weight > 0 and self.space == "logit")
        distils = feature or divergence
        dropped = self.rates.embed > 0 or self.rates.mid > 0
        differ = distils and dropped and self.stochastic
        several = differ and self.representations > 1
        chooses = several and ((feature and self.loss != "cosine-all") or (divergence and not self.kl_last_pass))
        kept = self.top_k if self.keep == "topk" else survivors(self.representations, self.quantile)
        filters = chooses and kept < self.representations
        weighs = chooses and kept > 1 and self.weighting == "softmax"
        unequal = weighs and self.tau < math.inf
        by_student = self.guidance == "student"
        return {
            "space": distils,
            "stochastic": distils and dropped,
            "representations": differ,
            "guidance": filters or unequal,
            "scale": by_student and (unequal or (filters and self.scale == "cosine")),  # the other scales rank alike
            "keep": chooses,
            "quantile": chooses and self.keep == "quantile",
            "top_k": chooses and self.keep == "topk",
            "weighting": chooses and (kept > 1 or self.guidance == "random"),  # which demands weighting=uniform
            "temperature": weighs,
            "detach_attention": by_student and unequal,  # equal weights have no gradient
            "loss": feature,
            "renormalise": feature and differ and self.loss == "mse",
            "kl_weight": self.space == "both",
            "kl_temperature": divergence,
            "kl_last_pass": divergence and several,
        }

    @property
    def tau(self) -> float:
        """The temperature as a number."""
        return float(self.temperature)

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        """See `why_not_narrow`."""
        return why_not_narrow(backbone) if self.student == "narrow" else None

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the teacher, then the student that it starts and teaches."""
        teacher = freeze(self._teacher(workbench))
        student = self._student(teacher, workbench)
        objective = StudentGuided(teacher, self, workbench, student.embedding_size)
        workbench.train(student, objective, epochs=self.budget(workbench.recipe), purpose="student")
        return Predictor([self.deploy(student, workbench)], teacher=self.deploy(teacher, workbench))

    def _teacher(self, workbench: Workbench) -> Network:
        """The very network that single-dropout is, unless it is to stop elsewhere."""
        if self.teacher_stop in _EARLY:
            return workbench.base_network(dropout=self.rates, stop=_EARLY[self.teacher_stop])
        return workbench.base_network(dropout=self.rates, keep="last" if self.teacher_stop == "last" else None)

    def _student(self, teacher: Network, workbench: Workbench) -> Network:
        if self.student_init == "teacher":
            return workbench.copy(teacher)
        backbone = workbench.backbone.narrow() if self.student == "narrow" else None
        return workbench.fresh(1, self.rates, backbone, epochs=self.budget(workbench.recipe))
