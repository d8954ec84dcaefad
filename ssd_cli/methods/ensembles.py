"""Deep ensembles: the mean of the probabilities of several networks, or their vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ssd_cli.methods import methods
from ssd_cli.methods.base import Combination, Count, Method, Predictor, TrainingSet, Workbench


@methods.register("ens-avg")
@dataclass(frozen=True)
class EnsAvg(Method):
    """An ensemble: the mean of the softmax probabilities of several networks.

    Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles", without the
    adversarial training. InceptionTime and LITETime are this with five networks. The networks differ in initialisation and batch
    order.

    Parameters
    ----------
    members : int
        Networks. Default of hfawaz/InceptionTime; Aslam et al. 2025 compare with 25.
    """

    members: Count = 5

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        return Predictor(workbench.base_networks(range(self.members)), combination=self.combination)


@methods.register("ens-vote")
@dataclass(frozen=True)
class EnsVote(EnsAvg):
    """An ensemble: the class that most of several networks vote for.

    The networks are those of `ens-avg`.
    """

    combination: ClassVar[Combination] = "vote"
