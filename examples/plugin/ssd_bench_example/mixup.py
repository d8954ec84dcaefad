"""Mixup: train on mixtures of two cases."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ssd_cli.backbones.base import Network
from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor, require
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.objective import Batch, Objective
from ssd_cli.training.workbench import Workbench


@methods.register("mixup")
@dataclass(frozen=True)
class Mixup(Method):
    """Mixup: one network learns from mixtures of two cases of a batch.

    Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", equation 1, with one proportion for each step. Initialisation
    and batch order are those of `single`.

    Parameters
    ----------
    alpha : float
        Both parameters of the beta distribution of the proportion. Default of the paper for small datasets.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        require(self.alpha > 0, f"alpha must be above 0, not {self.alpha}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train one network."""
        network = workbench.fresh(0)
        workbench.train(network, Mixtures(self.alpha, workbench), purpose="member", label="network")
        return Predictor([network])


class Mixtures(Objective):
    """Cross-entropy on mixtures of two cases of a batch."""

    resumable = True  # network and `streams` are its whole state

    def __init__(self, alpha: float, workbench: Workbench) -> None:
        super().__init__()
        self.alpha = alpha
        self.random = workbench.rng("mixup")
        self.streams = (self.random,)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy "ce" with the labels of both cases, weighted by their proportions."""
        # The ratio of two gamma variables has a beta distribution.
        gamma = torch._standard_gamma(batch.x.new_full((2,), self.alpha), self.random)
        share = gamma[0] / gamma.sum().clamp_min(torch.finfo(gamma.dtype).tiny)
        other = torch.randperm(len(batch.y), generator=self.random, device=batch.y.device)
        logits = network(share * batch.x + (1 - share) * batch.x[other]).logits
        own, others = (functional.cross_entropy(logits, labels) for labels in (batch.y, batch.y[other]))
        return {"ce": share * own + (1 - share) * others}
