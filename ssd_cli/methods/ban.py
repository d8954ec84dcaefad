"""Born-again networks: generations of students, each taught by the generation before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ssd_cli.methods import methods
from ssd_cli.methods.base import Count, Method, Network, Predictor, TrainingSet, Workbench
from ssd_cli.methods.kd import SoftLabels
from ssd_cli.training.predict import freeze


@methods.register("ban-k")
@dataclass(frozen=True)
class BAN(Method):
    """Born-again networks: each generation is a fresh network that learns from labels and from the one before; the last counts.

    Furlanello et al. 2018, "Born Again Neural Networks"; loss CE + KL(teacher || student). Generation 0 is base network 0, and
    generation g has the initialisation and the batch order of base network g. The last generation is deployed, also where an
    earlier one is better.

    Parameters
    ----------
    generations : int
        After generation 0. Default ours; grid 1, 2, 3, 5; 0 is `single`.
    """

    generations: Annotated[int, "[0, inf)"] = 3

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Deploy the last generation."""
        *earlier, last = train_generations(workbench, self.generations)
        return Predictor([last], teacher=earlier[-1] if earlier else None)


@methods.register("ban-ens-k")
@dataclass(frozen=True)
class BANEns(BAN):
    """The ensemble of born-again networks: the mean of the probabilities of all generations except generation 0.

    Furlanello et al. 2018, "Born Again Neural Networks". The generations, at least one, are those of `ban-k`.
    """

    generations: Count = 3

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Deploy all later generations."""
        return Predictor(train_generations(workbench, self.generations)[1:])


def train_generations(workbench: Workbench, generations: int) -> list[Network]:
    """Return base network 0 and the generations after it, each taught by the one before.

    The loss has temperature 1, as published, and equal weights, which are ours.
    """
    networks = [freeze(workbench.base_network())]
    for generation in range(1, generations + 1):
        student, objective = workbench.fresh(generation), SoftLabels([workbench.bind(networks[-1])])
        workbench.train(student, objective, purpose="member", index=generation, label=f"generation {generation}")
        networks.append(freeze(student))
    return networks
