"""A narrow network trained alone: the control of every method that distils into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.registry import methods
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.objective import Objective
    from ssd_cli.training.workbench import Workbench


@methods.register("single-small")
@dataclass(frozen=True)
class SingleSmall(Method):
    """One network of the backbone's narrow version, a tenth of the size (LITE: a fifth), trained by the recipe on labels alone.

    What `kd-small`, `embed-distill` and `ssd-small` have to beat. The students of the first two start from the same weights, and
    that of `kd-small` sees the same batches.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train it."""
        return Predictor([train_small(untrained(workbench), CrossEntropy(), workbench)])


def untrained(workbench: Workbench) -> Network:
    """The narrow network that every small method starts from.

    Raises
    ------
    ValueError
        The backbone has no narrow version.
    """
    return workbench.fresh(0, backbone=workbench.backbone.narrow())


def train_small(network: Network, objective: Objective, workbench: Workbench) -> Network:
    """Train a narrow network for the recipe's epochs, in the batch order of `single`."""
    return workbench.train(network, objective, purpose="member", label="small network")
