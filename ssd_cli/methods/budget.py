"""Resolve a recipe for one method on one backbone: the number of epochs of each network."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ssd_cli.errors import MisuseError
from ssd_cli.methods.recording import record_trainings

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.methods.base import Method
    from ssd_cli.training.recipe import Recipe, ResolvedRecipe


@lru_cache(maxsize=4096)  # a plan calls it for every cell
def fill_in(recipe: Recipe, backbone: Backbone, method: Method, label: str = "The method") -> ResolvedRecipe:
    """Return the recipe resolved for the backbone; the budget "equal-compute" reduces the epochs if a method trains more.

    With that budget, all trainings of a method together take at most the epochs of the recipe, in whole epochs, weighted as in
    `RecordedFit.budget_epochs`. Five base networks get a fifth each. The teacher of `ssd` gets four fifths.
    Messages name the method by `label`.

    Raises
    ------
    MisuseError
        The budget is too small for one epoch of each training, or the trainings of the method cannot be counted.
    """
    full = recipe.for_backbone(backbone)
    whole, students = full.epochs, full.student_epochs
    if recipe.budget == "equal-epochs":
        return full
    recorded = record_trainings(method, backbone, full)
    if recorded.error:
        raise MisuseError(
            f"{label}: its trainings cannot be counted for the budget equal-compute.",
            f"`fit` failed on a small stand-in training set: {recorded.error}",
            "Name a recipe of equal epochs, or leave the method out.",
        )
    if recorded.budget_epochs <= whole:
        return full

    def shortened(epochs: int) -> ResolvedRecipe:
        shorter: dict[str, Any] = {"epochs": epochs, "student_epochs": max(1, round(students * epochs / whole))}
        if full.steps is not None:  # every length by the same factor
            lengths = ("steps", "epochs_min", "student_epochs_min")
            shorter |= {name: max(1, getattr(full, name) * epochs // whole) for name in lengths}
        return replace(recipe, **shorter).for_backbone(backbone)

    def total(epochs: int) -> float:
        return record_trainings(method, backbone, shortened(epochs)).budget_epochs

    epochs = bisect_right(range(1, whole + 1), whole + 1e-9, key=total)
    if not epochs:
        raise MisuseError(
            f"{label} does not fit into a budget of {whole} epochs (equal-compute).",
            f"Expected a budget for at least one epoch of each training; together these take {total(1):g} epochs.",
            "Name a recipe of more epochs, as in --recipe 'standard[steps=2000,budget=equal-compute]', or leave the method out.",
        )
    return shortened(epochs)
