"""The whole predictor as one torch module: raw series in, class probabilities out."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd_cli.archives.prepare import FittedPreparation
from ssd_cli.backbones.base import Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.errors import SsdBenchError
from ssd_cli.methods.ens_vote import TIE_BREAK

_NO_SPREAD = 1e-12
"""As in `archives.prepare`."""


class DeployedPredictor(nn.Module):
    """Preparation, every network, and the rule that joins their probabilities.

    Missing values are not filled: whoever runs the graph fills them.

    Parameters
    ----------
    preparation : FittedPreparation
    networks : list of Network
        Frozen.
    vote : bool
        Join by votes rather than by the mean.
    any_length : bool
        Take series of any length also where the training series are equally long.

    Raises
    ------
    SsdBenchError
        A rule of the preparation cannot be part of a graph.
    """

    def __init__(
        self, preparation: FittedPreparation, networks: list[Network], vote: bool = False, any_length: bool = False
    ) -> None:
        super().__init__()
        rules = preparation.preparation
        if len(preparation.imputer.masked):
            raise SsdBenchError("impute=mask cannot be exported.", "Expected linear, mean or forward.")
        if preparation.unequal and rules.length == "noise":
            raise SsdBenchError("length=noise cannot be exported.", "Expected pad, zeros, edge, truncate or resize.")
        # Series that are not as long as training series of one length get zeros after scaling under every rule but "resize".
        self.length = rules.length if preparation.unequal or rules.length == "resize" else "zeros"
        self.scale, self.n_timepoints, self.vote = rules.scale, preparation.n_timepoints, vote
        self.any_length = preparation.unequal or any_length
        self.branches = nn.ModuleList(_without_marks(network) for network in networks)
        self.masked = any(isinstance(network, MaskedNetwork) for network in networks)
        if preparation.mean is not None and preparation.spread is not None:
            self.register_buffer("mean", torch.from_numpy(preparation.mean).double()[None])
            self.register_buffer("spread", torch.from_numpy(preparation.spread).double()[None])

    def forward(self, series: Tensor) -> Tensor:
        """Probabilities (batch, n_classes) of raw series (batch, n_channels, n_timepoints), in 64 bits.

        In 32 bits a pressure of 101325 Pa has steps of 0.008 Pa: what varies by little more than that would lose its digits.
        """
        x, valid = self.prepare(series)
        members = torch.stack([self._logits(branch, x, valid).softmax(-1) for branch in self.branches])
        mean = members.mean(0)
        if not self.vote:
            return mean
        votes = F.one_hot(members.argmax(-1), members.shape[-1]).to(mean.dtype).sum(0)
        return (votes + TIE_BREAK * mean) / (len(members) + TIE_BREAK)

    def prepare(self, series: Tensor) -> tuple[Tensor, Tensor | None]:
        """Series of the common length, scaled, and which of their steps are valid, as `FittedPreparation.transform` makes them."""
        x = series.double()  # means and standard deviations of long series lose digits in 32 bits
        if not self.any_length:
            return self._scaled(x, torch.ones_like(x[:1, :1])).float(), None
        if self.length == "resize":
            x = F.interpolate(x, size=self.n_timepoints, mode="linear", align_corners=True)
            return self._scaled(x, torch.ones_like(x[:1, :1])).float(), None
        last = x[..., -1:]
        # As many zeros as the common length, then cut: no rule depends on whether the series is longer or shorter.
        valid = F.pad(torch.ones_like(x[:, :1]), (0, self.n_timepoints))[..., : self.n_timepoints]
        x = F.pad(x, (0, self.n_timepoints))[..., : self.n_timepoints]
        scaled = self._scaled(x, valid, last if self.length == "edge" else None)
        return scaled.float(), valid.float() if self.masked else None

    def _scaled(self, x: Tensor, valid: Tensor, last: Tensor | None = None) -> Tensor:
        if self.scale == "none":
            mean, spread = torch.zeros_like(x[:, :, :1]), torch.ones_like(x[:, :, :1])
        elif self.scale == "train":
            mean, spread = cast(Tensor, self.mean), cast(Tensor, self.spread)
        else:
            count = valid.sum(-1, keepdim=True)
            mean = (x * valid).sum(-1, keepdim=True) / count
            spread = ((x - mean).square() * valid).sum(-1, keepdim=True).div(count).sqrt()
            largest = (x * valid).abs().amax(-1, keepdim=True)
            spread = torch.where(spread <= _NO_SPREAD * largest, torch.ones_like(spread), spread)
        after = 0.0 if last is None else (last - mean) / spread * (1 - valid)
        return (x - mean) / spread * valid + after

    @staticmethod
    def _logits(branch: nn.Module, x: Tensor, valid: Tensor | None) -> Tensor:
        network = cast(Network, branch)
        maps = network.body(network.stem(x))
        if valid is None:
            return network.classifier(network.pool(maps))
        return network.classifier((maps * valid).sum(-1) / valid.sum(-1))


def _without_marks(network: Network) -> Network:
    """The network that takes zeros where a masked one takes marks; the graph averages over the valid steps itself."""
    return network.inner if isinstance(network, MaskedNetwork) else network
