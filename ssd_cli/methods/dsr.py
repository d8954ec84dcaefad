"""Shape-wise regularisation: ranked outputs shall look alike from batch to batch, whichever class comes first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.methods.base import Method, Predictor, require
from ssd_cli.methods.registry import methods
from ssd_cli.training.losses import softened_kl
from ssd_cli.training.objective import Batch, Objective

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.workbench import Workbench


@methods.register("dsr")
@dataclass(frozen=True)
class DSR(Method):
    """Shape-wise regularisation: one network whose ranked outputs are drawn to those of the batch before.

    Wang et al. 2023, "Lightweight Self-Knowledge Distillation with Multi-source Information Fusion", DSR: loss
    CE + weight T**2 KL(softmax(o' / T) || softmax(o / T)), where o are the logits of a case in ascending order, and o' those of the
    case in the same place of the batch before, as they were then. Initialisation and batch order are those of `single`.

    The first batch of an epoch has none before it: where one batch holds all training cases (`compared_batches` is 0 in the
    record), this is `single`. With two classes the ranked outputs have one degree of freedom.

    Parameters
    ----------
    weight : float
        Of the divergence. Default of the release (xucong-parsifal/LightSKD).
    temperature : float
        T. Default of the release.
    target : {"rows", "mean"}
        Case by case, as published, or the mean of softmax(o' / T) over the batch before, which is ours and varies less.
    """

    weight: float = 1.0
    temperature: float = 4.0
    target: Literal["rows", "mean"] = "rows"

    def __post_init__(self) -> None:
        require(self.weight > 0, f"weight must be above 0, not {self.weight}")
        require(self.temperature > 0, f"temperature must be above 0, not {self.temperature}")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train one network."""
        network = workbench.fresh(0)
        workbench.train(network, RankedOutputs(self), purpose="member", label="network")
        return Predictor([network], diagnostics={"compared_batches": compared_batches(training_set, workbench)})


def compared_batches(training_set: TrainingSet, workbench: Workbench) -> int:
    """Batches of an epoch that have another one before them."""
    return math.ceil(training_set.n_cases / workbench.recipe.batch(training_set.n_cases)) - 1


class RankedOutputs(Objective):
    """Cross-entropy, and divergence of the ranked outputs from those of the batch before.

    A captured step does the same every time, so the first batch of an epoch is told apart by a factor, and what is kept from batch
    to batch stays where it is. The last batch may be smaller; it is compared with the first rows of the one before.
    """

    resumable = True  # a training goes on at the start of an epoch, where nothing is kept

    def __init__(self, settings: DSR) -> None:
        super().__init__()
        self.settings = settings
        self._kept: tuple[Tensor, Tensor] | None = None

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:
        """Forget the batch before."""
        if self._kept is not None:
            self._kept[1].zero_()

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy "ce" and weighted divergence "shape"."""
        logits = network(batch.x).logits
        return {"ce": functional.cross_entropy(logits, batch.y), "shape": self.shape(logits)}

    def shape(self, logits: Tensor) -> Tensor:
        """The weighted divergence of logits (batch, n_classes); they are what the next ones are compared with."""
        settings = self.settings
        ranked = logits.sort(-1).values
        if self._kept is None:
            self._kept = torch.zeros_like(ranked, requires_grad=False), ranked.new_zeros(())
        before, there = self._kept
        target = (before / settings.temperature).softmax(-1)
        target = target.mean(0).expand_as(ranked) if settings.target == "mean" else target[: len(ranked)]
        loss = settings.weight * there.clone() * softened_kl(target, ranked, settings.temperature)
        with torch.no_grad():
            before[: len(ranked)] = ranked
            there.fill_(1)
        return loss
