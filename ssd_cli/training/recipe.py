"""Recipes: how long and how a network is trained. All methods of a table share one recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Literal

from ssd_cli.backbones.base import Backbone
from ssd_cli.configuration import require
from ssd_cli.training import recipes

SMALLEST_BATCH = 2
"""Floor of the batch rule; the published rule's floor is 1, where batch statistics of a pooled embedding mean little."""

SLOW_MOMENTUM_FROM = 500
"""Epochs after which Keras's momentum leaves under 1 % of the initial batch-norm statistics, even with one step per epoch: 0.99^500
is 0.7 %. After 100 steps 37 % are left, and a network may predict no better than chance."""

Shape = Literal["plateau", "cosine", "constant"]
Keep = Literal["best", "last"]
Initialisation = Literal["glorot", "torch"]
Precision = Literal["fp32", "tf32", "bf16", "fp64"]
Budget = Literal["equal-epochs", "equal-compute"]


def _usual_momentum(epochs: int) -> float:
    return 0.01 if epochs >= SLOW_MOMENTUM_FROM else 0.1


def _students(epochs: int, share: float, least: int) -> int:
    return min(epochs, max(least, math.floor(share * epochs + 1e-9)))


@dataclass(frozen=True)
class Recipe:
    """Epochs, optimiser, schedule, batch rule, which epoch is kept, precision, budget.

    The optimiser is Adam with betas .9 and .999 and epsilon 1e-7, the defaults of Keras, which the published networks used. Keras
    adds epsilon to the uncorrected root of the second moment; in torch's form, which is used here, that would be
    eps / sqrt(1 - 0.999**t): 3e-6 at the first step, 1e-7 in the limit. Batch norms update the running variance with torch's
    n / (n - 1); Keras has the biased form, which differs by at most 8e-4 of the variance after a step.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training set; None: the backbone's published number. With `steps` the most.
    student_epochs : int, optional
        Budget of a student that starts from a teacher; None: `student_share` of `epochs`, rounded down. With `steps` the most.
    learning_rate : float, optional
        Of the first epoch; None: 1e-3, and under `standard` the backbone's.
    schedule : {"plateau", "cosine", "constant"}
        "plateau" halves the rate on the 50th epoch in a row whose training loss did not fall by 1e-4, down to 1e-4 (the published
        rule); "cosine" falls to 0 over the epochs, stepping once an epoch.
    keep : {"best", "last"}
        Weights at the end of the epoch with the lowest training loss (running mean in train mode, strict improvement), or the last.
    batch_size, batch_divisor : int, optional
        A batch has min(n_cases // batch_divisor, batch_size) cases (divisor 0: batch_size), at least 2; None: the backbone's rule.
    bn_momentum : float, optional
        Weight of the new batch in batch-norm's running statistics. None: 0.01, which is Keras's 0.99, but 0.1 with fewer than
        `SLOW_MOMENTUM_FROM` epochs.
    initialisation : {"glorot", "torch"}
        Glorot uniform with zero biases (Keras's default), or torch's default.
    precision : {"fp32", "tf32", "bf16", "fp64"}
        Weights, data and evaluation are fp32, or fp64 for tests of exactness. tf32 lets a GPU round the factors of products to 10
        bits of mantissa; elsewhere it changes nothing. bf16 runs forward passes of training in bfloat16 (autocast). The effect of
        both on accuracy has not been measured.
    budget : {"equal-epochs", "equal-compute"}
        Each network of a method has the recipe's epochs, or all networks together have as many passes over the cases as one network
        (`ssd_cli.methods.budget.fill_in`).
    steps : int, optional
        Optimiser steps. A training then has ``clip(ceil(steps / steps of an epoch), epochs_min, epochs)`` epochs: small sets have
        one step an epoch, large ones dozens. None: always `epochs`.
    epochs_min, student_epochs_min : int
        The fewest epochs of a training that is counted in steps, and of a student.
    student_share : float
        Epochs of a student, relative to those of its teacher.
    """

    epochs: int | None = None
    student_epochs: int | None = None
    learning_rate: float | None = None
    schedule: Shape = "plateau"
    keep: Keep = "best"
    batch_size: int | None = None
    batch_divisor: int | None = None
    bn_momentum: float | None = None
    initialisation: Initialisation = "glorot"
    precision: Precision = "fp32"
    budget: Budget = "equal-epochs"
    steps: int | None = None
    epochs_min: int | None = None
    student_epochs_min: int = 1
    student_share: float = 0.25

    def __post_init__(self) -> None:
        least = dict.fromkeys(("epochs", "student_epochs", "steps", "epochs_min", "student_epochs_min"), 1)
        for name, smallest in (least | {"batch_size": SMALLEST_BATCH}).items():
            value = getattr(self, name)
            require(value is None or value >= smallest, f"{name} must be at least {smallest}, not {value}")
        share = self.student_share
        require(0 < share <= 1, f"student_share must lie above 0 and at most at 1, not {share}")
        divisor, momentum = self.batch_divisor, self.bn_momentum
        require(divisor is None or divisor >= 0, f"batch_divisor must be at least 0, not {divisor}")
        require(momentum is None or 0 < momentum <= 1, f"bn_momentum must lie above 0 and at most at 1, not {momentum}")
        rate = self.learning_rate
        require(rate is None or rate > 0, f"learning_rate must be above 0, not {rate}")

    def for_backbone(self, backbone: Backbone | type[Backbone]) -> ResolvedRecipe:
        """Return the recipe with each None replaced by the backbone's published value."""
        epochs = self.epochs or backbone.published_epochs
        values = {
            "epochs": epochs,
            "student_epochs": self.student_epochs or _students(epochs, self.student_share, self.student_epochs_min),
            "learning_rate": self.learning_rate or 1e-3,
            "epochs_min": self.epochs_min or 1,
            "batch_size": self.batch_size or backbone.published_batch_size,
            "batch_divisor": backbone.published_batch_divisor if self.batch_divisor is None else self.batch_divisor,
            "bn_momentum": self.bn_momentum or _usual_momentum(epochs),
        }
        return ResolvedRecipe(**{**vars(self), **values})


@dataclass(frozen=True, kw_only=True)
class ResolvedRecipe:
    """A recipe for one backbone, in which every value is set. See `Recipe` for the parameters."""

    epochs: int
    student_epochs: int
    learning_rate: float
    schedule: Shape
    keep: Keep
    batch_size: int
    batch_divisor: int
    bn_momentum: float
    initialisation: Initialisation
    precision: Precision
    budget: Budget = "equal-epochs"
    steps: int | None = None
    epochs_min: int = 1
    student_epochs_min: int = 1
    student_share: float = 0.25

    @classmethod
    def from_identity(cls, parameters: Mapping[str, Any]) -> ResolvedRecipe:
        """Return the recipe of a cell's identity; see `identity`."""
        return cls(**parameters)

    def identity(self) -> dict[str, Any]:
        """Return all parameters by name; those that records of older versions lack only where they differ from the defaults."""
        added = {field.name: field.default for field in fields(self) if field.default is not MISSING}
        return {name: value for name, value in vars(self).items() if name not in added or value != added[name]}

    def for_cases(self, n_cases: int) -> ResolvedRecipe:
        """Return the recipe of a training set of this size: where steps are counted, with its epochs."""
        if self.steps is None:
            return self
        of_epoch = math.ceil(n_cases / self.batch(n_cases))
        epochs = min(max(math.ceil(self.steps / of_epoch), self.epochs_min), self.epochs)
        students = min(_students(epochs, self.student_share, self.student_epochs_min), self.student_epochs)
        return replace(self, epochs=epochs, student_epochs=students, steps=None)

    def students(self, share: float | None = None) -> int:
        """Return the epochs of a student; of one whose method names another share of its teacher's epochs, those."""
        return self.student_epochs if share is None else _students(self.epochs, share, self.student_epochs_min)

    def momentum(self, epochs: int | None = None) -> float:
        """Return the batch-norm momentum of a network that starts from random weights.

        Parameters
        ----------
        epochs : int, optional
            Epochs of its training, if not the recipe's: the momentum is then at least the default one for that number.
        """
        return self.bn_momentum if epochs is None else max(self.bn_momentum, _usual_momentum(epochs))

    def epochs_of(self, share: float) -> int:
        """Return a share of the epochs, rounded up."""
        return math.ceil(share * self.epochs - 1e-9)  # in floating point .55 * 100 is slightly above 55

    def share_before_last(self, share: float) -> float:
        """Return the share, reduced if it includes the last epoch; 0 for a recipe of one epoch."""
        return min(share, (self.epochs - 1) / self.epochs)

    def epochs_after(self, share: float) -> int:
        """Return the number of epochs that a share leaves, at least one."""
        return max(1, self.epochs - self.epochs_of(share))

    def batch(self, n_cases: int) -> int:
        """Return the number of cases in a batch."""
        wanted = min(n_cases // self.batch_divisor, self.batch_size) if self.batch_divisor else self.batch_size
        return min(max(SMALLEST_BATCH, wanted), n_cases)


@recipes.register("paper")
@dataclass(frozen=True)
class Paper(Recipe):
    """What the published numbers used: 1500 epochs (FCN 2000), plateau, weights of the lowest training loss."""

    student_epochs: int | None = 100  # Aslam et al.'s released distillation script trains its student for 100 epochs


@recipes.register("standard")
@dataclass(frozen=True)
class Standard(Recipe):
    """The default: as many optimiser steps as the backbone needs to fit, cosine to 0, the last weights, batch-norm momentum 0.1."""

    schedule: Shape = "cosine"
    keep: Keep = "last"
    bn_momentum: float | None = 0.1
    student_epochs_min: int = 10

    def for_backbone(self, backbone: Backbone | type[Backbone]) -> ResolvedRecipe:
        """Return the recipe with the length and the learning rate of the backbone."""
        standard = backbone.standard
        filled = {
            "steps": self.steps or standard.steps,
            "epochs": self.epochs or standard.epochs_max,
            "epochs_min": self.epochs_min or standard.epochs_min,
            "learning_rate": self.learning_rate or standard.learning_rate,
        }
        return Recipe(**vars(self) | filled).for_backbone(backbone)


@recipes.register("fast")
@dataclass(frozen=True)
class Fast(Recipe):
    """Too short for most networks, and kept for older results: 100 epochs, cosine to 0, the last weights."""

    epochs: int | None = 100
    schedule: Shape = "cosine"
    keep: Keep = "last"
    bn_momentum: float | None = 0.1


@recipes.register("smoke")
@dataclass(frozen=True)
class Smoke(Fast):
    """For tests: 3 epochs of `fast`; it tests that code runs, not that networks learn."""

    epochs: int | None = 3
