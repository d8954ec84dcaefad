"""Averages of the weights of one training: over its last epochs, or exponential."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Positive, Predictor, Rate, TrainingSet, Workbench
from ssd_cli.training.averaging import ExponentialMean, RunningMean
from ssd_cli.training.objective import CrossEntropy


@methods.register("swa")
@dataclass(frozen=True)
class SWA(Method):
    """Stochastic weight averaging: the mean of the weights at the ends of the last epochs, at a constant learning rate.

    Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization", algorithm 1, with Adam and the
    schedule of the release (timgaripov/swa): the recipe's learning rate for half of the epochs before averaging, then a linear
    decay until nine tenths of them, then `learning_rate`. It replaces the recipe's schedule. Initialisation and batch order are
    those of `single`. Batch-norm statistics of the averaged weights are estimated again, with dropout off.

    Parameters
    ----------
    start : float
        The weights at the end of this fraction of the epochs are the first in the average. Default of Izmailov et al. 2018.
    learning_rate : float
        Constant rate while averaging. Our default is half of the recipes' 1e-3; the released code has .05 or .01 with SGD.
    """

    start: Annotated[float, "(0, 1)"] = 0.75
    learning_rate: Positive = 5e-4

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        network, first = workbench.fresh(0), workbench.recipe.epochs_of(self.start)
        mean, lowest = RunningMean(skip=first - 1), self.learning_rate / workbench.recipe.learning_rate
        workbench.train(
            network,
            CrossEntropy(),
            lr_multiplier=lambda epochs: decayed(math.floor(epochs) / first, lowest),
            keep="last",
            purpose="member",
            averager=mean,
            label="swa",
        )
        network.load_state_dict(mean.state)
        return Predictor([workbench.refresh_batch_norm(network)], diagnostics={"averaged_epochs": mean.n_averaged})


def decayed(share: float, lowest: float) -> float:
    """Return the multiplier of the learning rate after a share of the epochs before averaging: 1, a linear decay, `lowest`."""
    return 1 - (1 - lowest) * min(max((share - 0.5) / 0.4, 0.0), 1.0)


@methods.register("ema")
@dataclass(frozen=True)
class EMA(Method):
    """An exponential moving average of the weights after every step of one training.

    Polyak averaging as in Tarvainen and Valpola 2017, "Mean teachers are better role models". The decay of step t is
    min(decay, (1 + t) / (10 + t)); without this warm-up, the average of a short training stays near the initial weights. The
    training is that of base network 0.

    Parameters
    ----------
    decay : float
        Weight of the average at each step. Default of the mean teacher's later steps.
    batch_norm : {"refresh", "live"}
        Statistics of the averaged weights: estimated from the training set, or copied from the trained network.
    """

    decay: Rate = 0.999
    batch_norm: Literal["refresh", "live"] = "refresh"

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        network = workbench.fresh(0)
        mean = ExponentialMean(self.decay, network.state_dict())
        workbench.train(network, CrossEntropy(), keep="last", purpose="member", index=0, averager=mean, label="member 0, averaged")
        parameters = {name: mean.state[name] for name, _ in network.named_parameters()}
        network.load_state_dict(network.state_dict() | parameters)
        return Predictor([workbench.refresh_batch_norm(network) if self.batch_norm == "refresh" else network])
