"""Layers of several backbones: convolutions that keep the length, and batch normalisation with Keras's constants."""

from __future__ import annotations

from torch import Tensor, nn

from ssd_cli.backbones.base import BN_EPS
from ssd_cli.backbones.convolution import padding_around, same_convolution

BN_MOMENTUM = 0.01
"""Keras's momentum of 0.99 in torch's convention; a recipe may set another one."""


class SameConv1d(nn.Conv1d):
    """A convolution (cross-correlation, stride 1) whose output is as long as its input; an even kernel reaches further right."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, bias: bool = False, groups: int = 1, dilation: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, groups=groups, dilation=dilation)

    @property
    def padding_around(self) -> tuple[int, int]:
        """Zeros on the left and on the right."""
        return padding_around(self.kernel_size[0], self.dilation[0])

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, n_timepoints) to (batch, out_channels, n_timepoints)."""
        return same_convolution(x, self.weight, self.bias, dilation=self.dilation[0], groups=self.groups)


class PointwiseConv1d(nn.Conv1d):
    """A 1x1 convolution: a linear map of the channels at every step."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = False) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, n_timepoints) to (batch, out_channels, n_timepoints)."""
        return same_convolution(x, self.weight, self.bias)


class SeparableConv1d(nn.Sequential):
    """A depthwise convolution (a kernel for each channel) and a pointwise one (1x1); no biases, no activation between."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.depthwise = SameConv1d(in_channels, in_channels, kernel_size, groups=in_channels, dilation=dilation)
        self.pointwise = PointwiseConv1d(in_channels, out_channels)


def batch_norm(channels: int) -> nn.BatchNorm1d:
    """Return batch normalisation with Keras's epsilon and momentum."""
    return nn.BatchNorm1d(channels, eps=BN_EPS, momentum=BN_MOMENTUM)
