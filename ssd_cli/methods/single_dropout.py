"""One network with dropout: the teacher of `ssd`, deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssd_cli.methods.base import Predictor
from ssd_cli.methods.dropout import DropoutMethod
from ssd_cli.methods.registry import methods

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("single-dropout")
@dataclass(frozen=True)
class SingleDropout(DropoutMethod):
    """One network, trained by the recipe with dropout: the teacher of ssd by itself.

    It separates the regularising effect of dropout from that of self-distillation.

    Parameters
    ----------
    dropout : float
        Rate on the pooled embedding just before the classifier. Default ours.
    dropout_sites : {"embed", "mid", "embed+mid"}
        Where dropout acts: `mid` drops whole channels after the first half of the network.
    mid_dropout : float
        Rate of the site `mid`. Default ours.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Return base network 0, trained with dropout."""
        return Predictor([self.deploy(workbench.base_network(dropout=self.rates), workbench)])
