"""Exponential moving average of the weights during one training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor, Rate, TrainingSet, Workbench
from ssd_cli.training.averaging import ExponentialMean
from ssd_cli.training.objective import CrossEntropy


@methods.register("ema")
@dataclass(frozen=True)
class EMA(Method):
    """An exponential moving average of the weights after every step of one training.

    Polyak averaging as in Tarvainen and Valpola 2017, "Mean teachers are better role models", with the warm-up
    min(decay, (1 + t) / (10 + t)), without which a short training would stay near its initial weights. The training is that of base
    network 0.

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
        """Train as base network 0 and average the weights after each step."""
        network = workbench.fresh(0)
        mean = ExponentialMean(self.decay, network.state_dict())
        workbench.train(network, CrossEntropy(), keep="last", purpose="member", index=0, averager=mean, label="member 0, averaged")
        parameters = {name: mean.state[name] for name, _ in network.named_parameters()}
        network.load_state_dict(network.state_dict() | parameters)
        return Predictor([workbench.refresh_batch_norm(network) if self.batch_norm == "refresh" else network])
