"""The ingredients of a soup: branches of one trunk, each finished with hyper-parameters of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.backbones.base import Dropout
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.training.workbench import Workbench


class Branch(NamedTuple):
    """How one branch is trained."""

    learning_rate: float
    dropout: float
    smoothing: float


# Wortsman et al. 2022 average fine-tuned models that share a start and differ in hyper-parameters; these values are ours.
BRANCHES = (Branch(1e-3, 0, 0), Branch(3e-4, 0, 0), Branch(1e-3, 0.2, 0), Branch(1e-3, 0, 0.1), Branch(3e-4, 0, 0.1))

TRUNK = 0.6
"""Fraction of the epochs that all branches share; each has the rest for itself, and the last epoch at least."""


def grow(workbench: Workbench, holdout: bool = False) -> list[Network]:
    """Train the trunk (member 0, stopped early, its last weights) and its branches, each with a batch order of its own.

    Networks from separate initialisations lie in separate basins, and their mean is near chance: hence the shared trunk. A branch
    starts the recipe's schedule anew with fresh Adam moments. Of a single epoch nothing is left for the trunk: it is untrained.

    Parameters
    ----------
    workbench : Workbench
    holdout : bool
        Train on the training part of the validation split only.
    """
    share = workbench.recipe.share_before_last(TRUNK)
    trunk = workbench.base_network(stop=share, keep="last", holdout=holdout) if share else workbench.fresh()
    cases = workbench.training_part() if holdout else workbench.training_set
    branches = [
        workbench.spec(
            workbench.copy(trunk, Dropout(embed=branch.dropout)),
            CrossEntropy(branch.smoothing),
            epochs=workbench.recipe.epochs_after(share),
            learning_rate=branch.learning_rate,
            cases=cases,
            purpose="branch",
            index=index,
            label=f"branch {index}",
        )
        for index, branch in enumerate(BRANCHES)
    ]
    return workbench.train_all(branches)
