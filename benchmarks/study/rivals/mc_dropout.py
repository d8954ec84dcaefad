"""Rival: the teacher of `ssd` with its dropout on at prediction, averaged over masks (Monte-Carlo dropout).

Why: a student of `ssd` learns from what its teacher says under dropout. What the mean of all that is worth, at many times the
inference cost, bounds what a student can take from it; how much the masks disagree says how much there is to choose from.

    ssd-bench run benchmarks/study/rivals.yaml --out results/study/cells/rivals
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ssd_cli.costs.measure import count_macs
from ssd_cli.methods import methods
from ssd_cli.methods.base import Predictor, Probabilities, require
from ssd_cli.methods.dropout import DropoutMethod
from ssd_cli.methods.trainings import Training, member
from ssd_cli.training.predict import batches_of, freeze

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.protocol.containers import Floats, TrainingSet
    from ssd_cli.training.recipe import Recipe
    from ssd_cli.training.workbench import Workbench


@methods.register("mc-dropout")
@dataclass(frozen=True)
class MCDropout(DropoutMethod):
    """Monte-Carlo dropout: the mean of the softmax outputs of one network under many dropout masks.

    Gal and Ghahramani 2016, "Dropout as a Bayesian Approximation". The network is the teacher of `ssd`, `single-dropout`; its batch
    norms hold the statistics that they collected under dropout. The masks are drawn once and are the same for all series, so that a
    prediction depends neither on a series' place in a batch nor on its neighbours.

    Parameters
    ----------
    dropout, dropout_sites, mid_dropout
        In training and in prediction; see `single-dropout`.
    passes : int
        Masks.
    """

    passes: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.passes >= 1, f"passes must be at least 1, not {self.passes}")
        require(self.rates.embed > 0 or self.rates.mid > 0, "mc-dropout needs a dropout rate above 0")

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train the network with dropout, and draw the masks."""
        network = freeze(workbench.member(dropout=self.rates))
        predictor = MaskedPredictor([network])
        example = torch.as_tensor(training_set.X[:1], dtype=workbench.dtype, device=workbench.device)
        generator = workbench.rng("mc dropout", device="cpu")
        predictor.masked = Masked(network, self.passes, network.stem(example).shape[1], generator).eval()
        # of all passes, as they are computed here; a latency was not measured
        predictor.costs = {"macs": count_macs(predictor.masked, example), "latency_ms_p50": None}
        return predictor

    def trainings(self, recipe: Recipe) -> tuple[Training, ...]:
        """Member 0, with dropout."""
        return (member(recipe, dropout=self.rates),)


class Masked(nn.Module):
    """A frozen network under masks: the stem once, the rest as often as the masks demand.

    Parameters
    ----------
    network : Network
    n : int
        Masks.
    n_filters : int
        Of the stem.
    generator : torch.Generator
        On the CPU.
    """

    def __init__(self, network: Network, n: int, n_filters: int, generator: torch.Generator) -> None:
        super().__init__()
        self.network = network
        weight = network.classifier.weight
        drawn = []
        for rate, width in ((network.mid_site.rate, n_filters), (network.embed_site.rate, network.embedding_size)):
            mask = torch.empty(n, width, dtype=weight.dtype).bernoulli_(1 - rate, generator=generator)
            drawn.append((mask / (1 - rate)).to(weight.device))
        self.mid, self.embed = drawn

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Softmax probabilities (n, batch, n_classes) of x (batch, n_channels, n_timepoints)."""
        maps = self.network.stem(x)
        inside = self.network.mid_site.rate > 0
        bodies = [self._embed(maps * mask[:, None]) for mask in self.mid] if inside else [self._embed(maps)] * len(self.mid)
        logits = [self.network.classifier(body * mask) for body, mask in zip(bodies, self.embed, strict=True)]
        return torch.stack(logits).softmax(-1)

    def _embed(self, maps: Tensor) -> Tensor:
        return self.network.pool(self.network.body(maps))


class MaskedPredictor(Predictor):
    """One network whose predictions are means over masks. It is stored as the plain network that it is without them."""

    masked: Masked

    def member_probabilities(self, X: Floats) -> Probabilities:
        """Softmax probabilities under every mask, shape (n_masks, n_cases, n_classes)."""
        weight: Any = self.networks[0].classifier.weight
        x = torch.as_tensor(X, dtype=weight.dtype, device=weight.device)
        return np.concatenate([self.masked(part).cpu().double().numpy() for part in batches_of(x)], axis=1)
