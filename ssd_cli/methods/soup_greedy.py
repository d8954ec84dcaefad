"""A greedy soup: a branch joins the mean of the weights if it raises the validation accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.registry import methods
from ssd_cli.methods.soup_uniform import grow
from ssd_cli.training.averaging import mean_of
from ssd_cli.training.predict import predict_proba

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone, Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


class Validation(NamedTuple):
    """Scores of a network on the validation part."""

    accuracy: float
    nll: float


def validate(network: Network, part: TrainingSet) -> Validation:
    """Return accuracy and mean negative log-likelihood, with probabilities clipped at 1e-7."""
    probabilities = predict_proba(network, part.X)
    likelihood = probabilities[np.arange(part.n_cases), part.y]
    return Validation(float((probabilities.argmax(1) == part.y).mean()), float(-np.log(likelihood.clip(1e-7)).mean()))


@methods.register("soup-greedy")
@dataclass(frozen=True)
class SoupGreedy(Method):
    """A model soup: branches join in the order of validation accuracy, each only if it raises that of the soup.

    Wortsman et al. 2022, "Model soups", recipe 1, with a strict increase as in mlfoundations/model-soups. Trunk and branches are
    trained without the validation cases. Batch-norm statistics are estimated again for each candidate mean. A soup of one branch
    is that branch, unchanged.
    """

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        """Skip training sets in which a class has a single case: there is no validation part."""
        if min(count for count in training_set.class_counts if count) < 2:
            return "a class has a single training case, so no validation part can be taken from the training set"
        return None

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Add each branch to the soup that raises its validation accuracy."""
        parts = workbench.validation_split()
        assert parts is not None, "skip() refuses such training sets"
        branches = grow(workbench, holdout=True)
        scores = [validate(branch, parts[1]) for branch in branches]
        first, *others = sorted(range(len(branches)), key=lambda index: (-scores[index].accuracy, scores[index].nll))
        soup, accuracy, chosen = branches[first], scores[first].accuracy, [first]
        for index in others:
            candidate = workbench.copy(branches[first])
            candidate.load_state_dict(mean_of([branches[member].state_dict() for member in [*chosen, index]]))
            candidate_accuracy = validate(workbench.refresh_batch_norm(candidate, holdout=True), parts[1]).accuracy
            if candidate_accuracy > accuracy:
                soup, accuracy, chosen = candidate, candidate_accuracy, [*chosen, index]
        return Predictor(
            [soup],
            diagnostics={
                "branches": chosen,
                "branch_validation_accuracies": [score.accuracy for score in scores],
                "validation_accuracy": accuracy,
            },
        )
