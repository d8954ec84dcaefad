"""Shape-wise regularisation: sorted outputs are pulled towards those of the previous batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Network, Positive, Predictor, TrainingSet, Workbench
from ssd_cli.training.objective import Batch, Objective, softened_kl


@methods.register("dsr")
@dataclass(frozen=True)
class DSR(Method):
    """Shape-wise regularisation: one network whose sorted outputs are pulled towards those of the previous batch.

    Wang et al. 2023, "Lightweight Self-Knowledge Distillation with Multi-source Information Fusion", DSR: loss
    CE + weight T**2 KL(softmax(o' / T) || softmax(o / T)), where o are the logits of a case in ascending order, and o' those of the
    case at the same position of the previous batch, at its step. Initialisation and batch order are those of `single`.

    The first batch of an epoch is not compared. If one batch holds all training cases (`compared_batches` is 0 in the record), this
    is `single`. With two classes the sorted outputs have one degree of freedom.

    Parameters
    ----------
    weight : float
        Of the divergence. Default of the release (xucong-parsifal/LightSKD).
    temperature : float
        T. Default of the release.
    target : {"rows", "mean"}
        Case by case, as published, or the mean of softmax(o' / T) over the previous batch, which is ours and varies less.
    """

    weight: Positive = 1.0
    temperature: Positive = 4.0
    target: Literal["rows", "mean"] = "rows"

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train one network."""
        network = workbench.fresh(0)
        workbench.train(network, RankedOutputs(self.weight, self.temperature, self.target), purpose="member", label="network")
        return Predictor([network], diagnostics={"compared_batches": compared_batches(training_set, workbench)})


def compared_batches(training_set: TrainingSet, workbench: Workbench) -> int:
    """Return the number of batches of an epoch that have a previous batch."""
    return math.ceil(training_set.n_cases / workbench.recipe.batch(training_set.n_cases)) - 1


class RankedOutputs(Objective):
    """Cross-entropy, and divergence of the sorted outputs from those of the previous batch.

    A captured step repeats the same operations, so a factor of 0 marks the first batch of an epoch, and the outputs of the previous
    batch stay in one tensor. The last batch may be smaller; it is compared with the first rows of the previous one. The parameters
    are those of `DSR`.
    """

    resumable = True  # a training resumes at the start of an epoch, where no outputs are kept

    def __init__(self, weight: float, temperature: float, target: Literal["rows", "mean"] = "rows") -> None:
        super().__init__()
        self.weight, self.temperature, self.target = weight, temperature, target
        self._kept: tuple[Tensor, Tensor] | None = None

    def begin_epoch(self, epoch: int, modules: nn.Module) -> None:
        """Discard the outputs of the previous batch."""
        if self._kept is not None:
            self._kept[1].zero_()

    def losses(self, network: Network, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy "ce" and weighted divergence "shape"."""
        logits = network(batch.x).logits
        return {"ce": functional.cross_entropy(logits, batch.y), "shape": self.shape(logits)}

    def shape(self, logits: Tensor) -> Tensor:
        """Return the weighted divergence of logits (batch, n_classes), and keep them for the next batch."""
        ranked = logits.sort(-1).values
        if self._kept is None:
            self._kept = torch.zeros_like(ranked, requires_grad=False), ranked.new_zeros(())
        previous, present = self._kept
        target = (previous / self.temperature).softmax(-1)
        target = target.mean(0).expand_as(ranked) if self.target == "mean" else target[: len(ranked)]
        loss = self.weight * present.clone() * softened_kl(target, ranked, self.temperature)
        with torch.no_grad():
            previous[: len(ranked)] = ranked
            present.fill_(1)
        return loss
