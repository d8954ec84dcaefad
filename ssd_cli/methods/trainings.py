"""What a method trains, declared in numbers: estimates of time and the budget of equal compute rest on it, nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.backbones.base import NO_DROPOUT, Dropout

if TYPE_CHECKING:
    from ssd_cli.training.recipe import Recipe

NARROW_STEP = 0.35
"""What a step of a backbone's narrow version costs, in plain ones: Inception .28, LITE .48 (results/study/costs_*15_small.csv)."""


@dataclass(frozen=True)
class Training:
    """One training that a method needs.

    Parameters
    ----------
    epochs : int
        That are really trained.
    shared : str
        Two trainings of equal text are one network, trained once for all cells of a dataset, backbone, resample and seed. Empty: it
        belongs to the method alone.
    holdout : bool
        Trained on the training part of the validation split: about four fifths of the cases.
    step : float
        What a step costs, in steps of a plain training.
    passes : float
        Cases that a step takes, in those of a plain training: 2 where each brings another series along.
    """

    epochs: int
    shared: str = ""
    holdout: bool = False
    step: float = 1.0
    passes: float = 1.0


def member(
    recipe: Recipe, index: int = 0, dropout: Dropout = NO_DROPOUT, stop: float = 1.0, keep: str | None = None, holdout: bool = False
) -> Training:
    """The training of `Workbench.member` with the same arguments.

    Parameters
    ----------
    recipe : Recipe
        Filled in for the backbone.
    index, dropout, stop, keep, holdout
        See `Workbench.member`.
    """
    epochs = recipe.epochs_of(stop)
    keep = keep or (recipe.keep if epochs == recipe.epochs else "last")
    shared = f"member {index}, dropout {dropout.embed} {dropout.mid}, epochs {epochs}, keep {keep}, holdout {holdout}"
    return Training(epochs, shared, holdout)
