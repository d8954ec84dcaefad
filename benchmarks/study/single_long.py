"""Train one network for longer, with or without mixup: a control beside distillation.

Cost: `times` trainings; inference as `single`.

    ssd-bench run benchmarks/study/lite15_mixup.yaml --out results/study/cells/lite15_mixup
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor, require
from ssd_cli.training.objective import Batch, CrossEntropy, Objective

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("single-long")
@dataclass(frozen=True)
class SingleLong(Method):
    """Train `single` for more epochs under one schedule, from the same start.

    Parameters
    ----------
    times : int
        Factor on the epochs of the recipe.
    mixup : bool
        Train on mixtures of two cases of a batch, with a proportion drawn uniformly for every step (Zhang et al. 2018, alpha = 1).
    """

    times: int = 2
    mixup: bool = False

    def __post_init__(self) -> None:
        require(self.times >= 1, f"times must be at least 1, not {self.times}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train one network."""
        objective = Mixtures(workbench) if self.mixup else CrossEntropy()
        epochs = self.times * workbench.epochs
        return Predictor([workbench.train(workbench.fresh(0), objective, epochs=epochs, purpose="member", label="long")])


class Mixtures(Objective):
    """Cross-entropy on mixtures of two cases of a batch.

    Parameters
    ----------
    workbench : Workbench
        Source of the random stream.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.mixing = workbench.rng("mixup")
        self.streams = (self.mixing,)

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropies of both labels, weighted by the proportion of their series, as "ce"."""
        share = torch.rand((), generator=self.mixing, device=batch.x.device, dtype=batch.x.dtype)
        partner = torch.randperm(len(batch.y), generator=self.mixing, device=batch.x.device)
        logits = network(share * batch.x + (1 - share) * batch.x[partner]).logits
        own, other = (functional.cross_entropy(logits, y) for y in (batch.y, batch.y[partner]))
        return {"ce": share * own + (1 - share) * other}
