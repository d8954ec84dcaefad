"""An ensemble that votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.methods.base import Predictor, Probabilities
from ssd_cli.methods.ens_avg import EnsAvg
from ssd_cli.methods.registry import methods

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench

TIE_BREAK = 1e-3
"""Votes that the mean probability of a class is worth: enough to break ties, too little to overrule a vote."""


class VotePredictor(Predictor):
    """Networks that vote for a class each."""

    def combine(self, members: Probabilities) -> Probabilities:
        """(votes + 0.001 mean probability) / (n_networks + 0.001): ties go to the larger mean probability; rows sum to 1."""
        votes = np.eye(members.shape[2])[members.argmax(axis=2)].sum(axis=0)
        return (votes + TIE_BREAK * members.mean(axis=0)) / (len(members) + TIE_BREAK)


@methods.register("ens-vote")
@dataclass(frozen=True)
class EnsVote(EnsAvg):
    """An ensemble: the class that most of several networks vote for.

    The networks are those of `ens-avg`.

    Parameters
    ----------
    members : int
        Networks. Default of hfawaz/InceptionTime.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Take the first members."""
        return VotePredictor(workbench.base_networks(range(self.members)))
