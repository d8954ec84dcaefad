"""A uniform soup: the mean of the weights of all branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.branches import grow
from ssd_cli.methods.registry import methods
from ssd_cli.training.averaging import mean_of

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("soup-uniform")
@dataclass(frozen=True)
class SoupUniform(Method):
    """A model soup: the mean of the weights of five branches of one trunk.

    Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time". All training cases are used; batch-norm statistics of the mean are estimated anew.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Average all branches."""
        branches = grow(workbench)
        soup = workbench.copy(branches[0])
        soup.load_state_dict(mean_of([branch.state_dict() for branch in branches]))
        return Predictor([workbench.refresh_batch_norm(soup)])
