"""Ablations of `ssd` with their own names: the same method with other defaults.

Other ablations are parameters, as in ``ssd[representations=1]``. The controls are `finetune`, `feat-kd` and `single-dropout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ssd_cli.methods import methods
from ssd_cli.methods.attention import Guide
from ssd_cli.methods.dropout import DropoutSites, StudentShare
from ssd_cli.methods.ssd import SSD


@methods.register("ssd-mid")
@dataclass(frozen=True)
class SSDMid(SSD):
    """ssd with dropout inside the trunk too: representations that differ by more than masks on one vector."""

    dropout_sites: DropoutSites = "embed+mid"


@methods.register("ssd-uniform")
@dataclass(frozen=True)
class SSDUniform(SSD):
    """ssd without weighting and without filter: the plain mean of all representations."""

    weighting: Literal["softmax", "uniform"] = "uniform"
    quantile: float = 0.0


@methods.register("ssd-weight")
@dataclass(frozen=True)
class SSDWeight(SSD):
    """ssd without filter: softmax weights over all representations."""

    quantile: float = 0.0


@methods.register("ssd-filter")
@dataclass(frozen=True)
class SSDFilter(SSD):
    """ssd without weighting: equal weights of the representations that survive the filter."""

    weighting: Literal["softmax", "uniform"] = "uniform"


@methods.register("ssd-random-k")
@dataclass(frozen=True)
class SSDRandomK(SSD):
    """Control of ssd: as many representations as survive its filter, chosen by chance, equally weighted."""

    guidance: Guide = "random"
    weighting: Literal["softmax", "uniform"] = "uniform"


@methods.register("ssd-label-guided")
@dataclass(frozen=True)
class SSDLabelGuided(SSD):
    """Control of ssd: representations ranked by the label's likelihood under the teacher's head, not by the student."""

    guidance: Guide = "label"


@methods.register("ssd-topk")
@dataclass(frozen=True)
class SSDTopK(SSD):
    """ssd with a fixed number of representations, ten, instead of a quantile."""

    keep: Literal["quantile", "topk"] = "topk"


@methods.register("ssd-small")
@dataclass(frozen=True)
class SSDSmall(SSD):
    """ssd into a student of the backbone's narrow version, with a linear map between the embeddings."""

    student: Literal["same", "narrow"] = "narrow"
    student_init: Literal["teacher", "random"] = "random"


@methods.register("ssd-legacy")
@dataclass(frozen=True)
class SSDLegacy(SSD):
    """ssd with the slips of its released code: equal representations, a random student, eval mode after epoch 1.

    The student has as many epochs as the teacher, since it starts from random weights; 100 in the release. Recipe settings stay;
    the release draws convolutions from N(0, 0.02**2) and trains in batches of 128 at a constant rate.
    """

    stochastic: bool = False
    student_init: Literal["teacher", "random"] = "random"
    legacy_eval: bool = True
    student_share: StudentShare = 1.0
