"""A recurrent backbone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.configuration import require


class GRUNetwork(Network):
    """A convolution, then a gated recurrent unit over time."""

    resumable = True

    def __init__(self, n_channels: int, n_classes: int, dropout: Dropout, width: int) -> None:
        super().__init__(width, n_classes, dropout)
        self.convolution = nn.Conv1d(n_channels, width, 3, padding=1)
        self.recurrent = nn.GRU(width, width, batch_first=True)

    def stem(self, x: Tensor) -> Tensor:
        """Apply the convolution."""
        maps: Tensor = self.convolution(x).relu()
        return maps

    def body(self, maps: Tensor) -> Tensor:
        """Apply the recurrent unit."""
        states: Tensor = self.recurrent(maps.transpose(1, 2))[0]
        return states.transpose(1, 2)


@backbones.register("gru")
@dataclass(frozen=True)
class GRU(Backbone):
    """GRU: a convolution and a gated recurrent unit (Cho et al. 2014), averaged over time.

    Parameters
    ----------
    width : int
        Filters of the convolution and size of the hidden state. Default ours.
    """

    width: int = 32

    def __post_init__(self) -> None:
        require(self.width >= 1, f"width must be at least 1, not {self.width}")

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Build an untrained network."""
        return GRUNetwork(n_channels, n_classes, dropout, self.width)
