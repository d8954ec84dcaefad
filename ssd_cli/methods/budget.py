"""A recipe, filled in for one method on one backbone: how many epochs each of its networks has."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ssd_cli.errors import MisuseError

if TYPE_CHECKING:
    from ssd_cli.methods.base import Method
    from ssd_cli.training.recipe import Recipe


@lru_cache(maxsize=4096)  # a plan asks for every cell
def fill_in(recipe: Recipe, backbone: str, method: Method, name: str = "The method") -> Recipe:
    """What `Recipe.for_backbone` fills in, and under the budget "equal-compute" fewer epochs where a method trains more.

    That budget gives every method the passes over the training cases that `single` has: all its trainings together, a student's and
    those on a part of the cases among them, take no more epochs than the recipe has, and as many as whole epochs allow. Five
    members get a fifth each; the teacher of `ssd` four fifths, and its student a quarter of these. Counted is what `Method.passes`
    counts: a step that carries more than a plain one (`ssd-mid`) is dearer; one of a small network, or with a small head beside it,
    is a step like any other.

    Parameters
    ----------
    recipe : Recipe
        As the user named it.
    backbone : str
        Registered name.
    method : Method
    name : str
        The method's, for messages.

    Raises
    ------
    MisuseError
        The budget does not hold one epoch of everything that the method trains.
    """
    full = recipe.for_backbone(backbone)
    whole, students = full.epochs, full.student_epochs
    assert whole is not None and students is not None
    if recipe.budget == "equal-epochs" or method.passes(full) <= 1:
        return full

    def shortened(epochs: int) -> Recipe:
        return replace(recipe, epochs=epochs, student_epochs=max(1, round(students * epochs / whole))).for_backbone(backbone)

    def total(epochs: int) -> float:
        return method.passes(shortened(epochs)) * epochs

    epochs = bisect_right(range(1, whole + 1), whole + 1e-9, key=total)
    if not epochs:
        raise MisuseError(
            f"{name} does not fit into a budget of {whole} epochs (equal-compute).",
            f"Expected one epoch at least of all that it trains, which take {total(1):g} together.",
            "Name a recipe of more epochs, as in --recipe 'fast[epochs=100,budget=equal-compute]', or leave the method out.",
        )
    return shortened(epochs)
