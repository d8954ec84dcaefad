"""A narrow network trained alone: the control of all methods that distil into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.registry import methods
from ssd_cli.training.objective import CrossEntropy

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone, Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.objective import Objective
    from ssd_cli.training.workbench import Workbench


@methods.register("single-small")
@dataclass(frozen=True)
class SingleSmall(Method):
    """One network of the backbone's narrow version, a tenth of the size (LITE: a fifth), trained by the recipe on labels alone.

    The control of `kd-small`, `embed-distill` and `ssd-small`. The students of the first two start from the same weights, and
    that of `kd-small` sees the same batches.
    """

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        """See `why_not_narrow`."""
        return why_not_narrow(backbone)

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the narrow network."""
        return Predictor([train_small(untrained(workbench), CrossEntropy(), workbench)])


def why_not_narrow(backbone: Backbone) -> str | None:
    """Return the reason to skip a cell whose backbone has no narrow version, or None."""
    try:
        backbone.narrow()
    except ValueError as error:
        return str(error)
    return None


def untrained(workbench: Workbench) -> Network:
    """Return the untrained narrow network that all small methods start from."""
    return workbench.fresh(0, backbone=workbench.backbone.narrow())


def train_small(network: Network, objective: Objective, workbench: Workbench) -> Network:
    """Train a narrow network for the recipe's epochs, in the batch order of `single`, and return it."""
    return workbench.train(network, objective, purpose="member", label="small network")
