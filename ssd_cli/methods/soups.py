"""Model soups: means of the weights of branches of one trunk, of all or of those that raise the validation accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods import methods
from ssd_cli.methods.base import Backbone, Method, Network, Predictor, TrainingSet, Workbench
from ssd_cli.training.averaging import mean_of
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import predict_proba


@methods.register("soup-uniform")
@dataclass(frozen=True)
class SoupUniform(Method):
    """A model soup: the mean of the weights of five branches of one trunk.

    Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time". All training cases are used; batch-norm statistics of the mean are estimated again.
    """

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        branches = train_branches(workbench)
        soup = workbench.copy(branches[0])
        soup.load_state_dict(mean_of([branch.state_dict() for branch in branches]))
        return Predictor([workbench.refresh_batch_norm(soup)])


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
        if min(count for count in training_set.class_counts if count) < 2:
            return "a class has a single training case, so no validation part can be taken from the training set"
        return None

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        parts = workbench.validation_split()
        assert parts is not None, "skip() refuses such training sets"
        branches = train_branches(workbench, holdout=True)
        scores = [validate(branch, parts[1]) for branch in branches]
        first, *others = sorted(range(len(branches)), key=lambda index: (-scores[index].accuracy, scores[index].nll))
        soup, accuracy, chosen = branches[first], scores[first].accuracy, [first]
        for index in others:
            candidate = workbench.copy(branches[first])
            candidate.load_state_dict(mean_of([branches[branch].state_dict() for branch in [*chosen, index]]))
            candidate_accuracy = validate(workbench.refresh_batch_norm(candidate, holdout=True), parts[1]).accuracy
            if candidate_accuracy > accuracy:
                soup, accuracy, chosen = candidate, candidate_accuracy, [*chosen, index]
        accuracies = [score.accuracy for score in scores]
        diagnostics = {"branches": chosen, "branch_validation_accuracies": accuracies, "validation_accuracy": accuracy}
        return Predictor([soup], diagnostics=diagnostics)


BRANCHES = ((1e-3, 0, 0), (3e-4, 0, 0), (1e-3, 0.2, 0), (1e-3, 0, 0.1), (3e-4, 0, 0.1))
"""Learning rate, dropout and label smoothing of each branch. Ours: Wortsman et al. 2022 vary those of fine-tuned models."""

TRUNK = 0.6
"""Share of the epochs of the trunk, which all branches share; at least the last epoch is trained in the branches."""


def train_branches(workbench: Workbench, holdout: bool = False) -> list[Network]:
    """Train the trunk (base network 0, stopped early, its last weights) and its branches, each with its own batch order.

    The mean of networks with separate initialisations predicts near chance, so branches share a trunk. A branch restarts the
    recipe's schedule with new Adam moments. With one epoch the trunk is untrained. With `holdout` validation cases are left out.
    """
    share = workbench.recipe.share_before_last(TRUNK)
    trunk = workbench.base_network(stop=share, keep="last", holdout=holdout) if share else workbench.fresh()
    cases = workbench.training_part() if holdout else workbench.training_set
    branches = [
        workbench.spec(
            workbench.copy(trunk, Dropout(embed=dropout)),
            CrossEntropy(smoothing),
            epochs=workbench.recipe.epochs_after(share),
            learning_rate=learning_rate,
            cases=cases,
            purpose="branch",
            index=index,
            label=f"branch {index}",
        )
        for index, (learning_rate, dropout, smoothing) in enumerate(BRANCHES)
    ]
    return workbench.train_all(branches)
