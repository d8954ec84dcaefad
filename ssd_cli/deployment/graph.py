"""The whole predictor as one torch module, from raw series to class probabilities."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd_cli.archives.prepare import FittedPreparation
from ssd_cli.backbones.base import Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.methods.base import TIE_BREAK


class DeployedPredictor(nn.Module):
    """Preparation, frozen networks, and their mean probabilities or votes; the caller fills missing values.

    With `any_length` the module accepts series of any length, even if the training series are equally long. Raises SsdBenchError
    if a rule of the preparation cannot be part of a graph.
    """

    def __init__(
        self, preparation: FittedPreparation, networks: list[Network], vote: bool = False, any_length: bool = False
    ) -> None:
        super().__init__()
        preparation.check_exportable()
        self.length, self.scaling, self.vote = preparation.length, preparation.scaling, vote
        self.any_length = preparation.unequal or any_length
        unmasked = [network.inner if isinstance(network, MaskedNetwork) else network for network in networks]
        self.branches = nn.ModuleList(unmasked)  # the graph averages over the valid steps itself
        self.masked = any(isinstance(network, MaskedNetwork) for network in networks)

    def forward(self, series: Tensor) -> Tensor:
        """Return probabilities (batch, n_classes) of raw series (batch, n_channels, n_timepoints) in 64 bits.

        In 32 bits a pressure of 101325 Pa has steps of 0.008 Pa, so small variations around a large mean would be lost.
        """
        x, valid = self.prepare(series)
        members = torch.stack([self._logits(branch, x, valid).softmax(-1) for branch in self.branches])
        mean = members.mean(0)
        if not self.vote:
            return mean
        votes = F.one_hot(members.argmax(-1), members.shape[-1]).to(mean.dtype).sum(0)
        return (votes + TIE_BREAK * mean) / (len(members) + TIE_BREAK)

    def prepare(self, series: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the scaled series of the common length and a mask of valid steps, as `FittedPreparation.transform` does."""
        x = series.double()  # means and standard deviations of long series lose digits in 32 bits
        if not self.any_length:
            return self.scaling.graph(torch, x, torch.ones_like(x[:1, :1])).float(), None
        x, valid = self.length.graph(torch, x)
        scaled = self.scaling.graph(torch, x, valid)
        if not (self.length.unequal and self.length.fills):
            scaled = scaled * valid  # zeros after the end
        return scaled.float(), valid.float() if self.masked else None

    @staticmethod
    def _logits(branch: nn.Module, x: Tensor, valid: Tensor | None) -> Tensor:
        network = cast(Network, branch)
        maps = network.body(network.stem(x))
        if valid is None:
            return network.classifier(network.pool(maps))
        return network.classifier((maps * valid).sum(-1) / valid.sum(-1))
