"""A uniform soup, and the branches that all soups average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.registry import methods
from ssd_cli.training.averaging import mean_of
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("soup-uniform")
@dataclass(frozen=True)
class SoupUniform(Method):
    """A model soup: the mean of the weights of five branches of one trunk.

    Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time". All training cases are used; batch-norm statistics of the mean are estimated again.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Average all branches."""
        branches = grow(workbench)
        soup = workbench.copy(branches[0])
        soup.load_state_dict(mean_of([branch.state_dict() for branch in branches]))
        return Predictor([workbench.refresh_batch_norm(soup)])


class BranchParameters(NamedTuple):
    """Hyper-parameters of one branch."""

    learning_rate: float
    dropout: float
    smoothing: float


# Wortsman et al. 2022 average fine-tuned models that share a start and differ in hyper-parameters; these values are ours.
BRANCHES = tuple(
    BranchParameters(*values) for values in ((1e-3, 0, 0), (3e-4, 0, 0), (1e-3, 0.2, 0), (1e-3, 0, 0.1), (3e-4, 0, 0.1))
)

TRUNK = 0.6
"""Share of the epochs that all branches have in common; at least the last epoch belongs to the branches."""


def grow(workbench: Workbench, holdout: bool = False) -> list[Network]:
    """Train the trunk (base network 0, stopped early, its last weights) and its branches, each with its own batch order.

    Networks of separate initialisations lie in separate basins of the loss, and their mean is near chance; hence the shared trunk.
    A branch starts the recipe's schedule again, with new Adam moments. With a recipe of one epoch the trunk is untrained.

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
