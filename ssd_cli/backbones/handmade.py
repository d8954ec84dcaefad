"""The 17 hand-made convolution filters of Ismail-Fawaz et al. 2022, which detect trends and peaks and are never trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd_cli.backbones.convolution import same_convolution

LENGTHS = (2, 4, 8, 16, 32, 64)
N_FILTERS = 17
"""Six filters for rising trends, six for falling ones, five for peaks."""


def trend_filters(length: int) -> Tensor:
    """Return filters for a rising and a falling trend, shape (2, length): -1, +1, -1, ... and its negative."""
    rising = torch.ones(length)
    rising[::2] = -1
    return torch.stack([rising, -rising])


def peak_filter(length: int) -> Tensor:
    """Return the filter for a peak, shape (1, 3 length / 2): a parabola down, one of twice its height up, one down."""
    quarter = length // 4
    rise = (torch.arange(1, quarter + 1) / quarter) ** 2
    hump = torch.cat([rise, rise.flip(0)])
    return torch.cat([-hump, 2 * hump, -hump])[None]


def all_filters() -> list[Tensor]:
    """Return the 17 filters, grouped by length: each (n_filters, length)."""
    return [trend_filters(length) for length in LENGTHS] + [peak_filter(length) for length in LENGTHS[1:]]


class HandMadeFilters(nn.Module):
    """Convolution of the raw series with the 17 filters, then ReLU.

    The filters are buffers outside the state dictionary: they are fixed, so they are never trained, averaged or stored.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    depthwise : bool, default False
        Filter each channel separately (17 n_channels outputs, as LITEMV does); otherwise sum over the channels (17 outputs).
    """

    def __init__(self, n_channels: int, *, depthwise: bool = False) -> None:
        super().__init__()
        self.groups = n_channels if depthwise else 1
        self.out_channels = N_FILTERS * self.groups
        self.names = []
        for filters in all_filters():
            self.names.append(f"filters_{filters.shape[1]}")
            weight = filters[:, None].repeat(n_channels, 1, 1) if depthwise else filters[:, None].repeat(1, n_channels, 1)
            self.register_buffer(self.names[-1], weight, persistent=False)

    def weights(self) -> list[Tensor]:
        """Return the filters, grouped by length: each (n_filters, channels of a group, length)."""
        return [self.get_buffer(name) for name in self.names]

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_channels, n_timepoints) to (batch, out_channels, n_timepoints)."""
        return F.relu(torch.cat([same_convolution(x, weight, groups=self.groups) for weight in self.weights()], 1))
