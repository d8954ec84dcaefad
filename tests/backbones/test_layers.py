import numpy as np
import pytest
import torch
from torch import nn

from ssd_cli.backbones.base import BN_EPS
from ssd_cli.backbones.handmade import HandMadeFilters, all_filters, peak_filter, trend_filters
from ssd_cli.backbones.inception import InceptionModule
from ssd_cli.backbones.layers import SameConv1d, SeparableConv1d
from ssd_cli.backbones.resnet import ResidualBlock


def correlate(x, weight, dilation=1):
    """Cross-correlation by its definition, floor((k - 1) d / 2) zeros on the left; x (channels, time), weight (channels, k)."""
    taps, steps = weight.shape[1], x.shape[1]
    out = np.zeros(steps)
    left = (taps - 1) * dilation // 2
    for t in range(steps):
        for k in range(taps):
            source = t + k * dilation - left
            if 0 <= source < steps:
                out[t] += (x[:, source] * weight[:, k]).sum()
    return out


@pytest.mark.parametrize("n_timepoints", [1, 5, 12])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (5, 1), (8, 1), (20, 2), (10, 4), (3, 3)])
def test_same_convolution_follows_its_definition(kernel, dilation, n_timepoints):
    layer = SameConv1d(3, 2, kernel, dilation=dilation).double()
    x = torch.randn(1, 3, n_timepoints, dtype=torch.float64)
    expected = [correlate(x[0].numpy(), w, dilation) for w in layer.weight.detach().numpy()]
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-12)


def test_even_kernels_pad_less_on_the_left():
    assert SameConv1d(1, 1, 40).padding_around == (19, 20)
    assert SameConv1d(1, 1, 8).padding_around == (3, 4)
    assert SameConv1d(1, 1, 20, dilation=2).padding_around == (19, 19)
    assert SameConv1d(1, 1, 10, dilation=4).padding_around == (18, 18)


def test_separable_convolution_filters_each_channel_by_itself():
    layer = SeparableConv1d(2, 1, 3)
    nn.init.constant_(layer.pointwise.weight, 1)
    x = torch.zeros(1, 2, 5)
    x[0, 1, 2] = 1
    torch.testing.assert_close(layer(x)[0, 0, 1:4], layer.depthwise.weight[1, 0].flip(0))


def test_the_hand_made_filters_have_the_published_values():
    assert [tuple(f.shape) for f in all_filters()] == [(2, k) for k in (2, 4, 8, 16, 32, 64)] + [
        (1, k) for k in (6, 12, 24, 48, 96)
    ]
    assert trend_filters(4).tolist() == [[-1, 1, -1, 1], [1, -1, 1, -1]]
    assert peak_filter(4).tolist() == [[-1, -1, 2, 2, -1, -1]]
    assert peak_filter(8).tolist() == [[-0.25, -1, -1, -0.25, 0.5, 2, 2, 0.5, -0.25, -1, -1, -0.25]]


@pytest.mark.parametrize("depthwise", [False, True])
def test_hand_made_filters_sum_over_channels_or_keep_them_apart(depthwise):
    layer = HandMadeFilters(2, depthwise=depthwise).double()
    x = torch.randn(1, 2, 30, dtype=torch.float64)
    out = layer(x)[0]
    assert len(out) == layer.out_channels == (34 if depthwise else 17)
    rising = trend_filters(2).double().numpy()[:1]
    per_channel = [np.maximum(correlate(channel[None].numpy(), rising), 0) for channel in x[0]]
    summed = np.maximum(correlate(x[0].numpy(), rising.repeat(2, 0)), 0)
    np.testing.assert_allclose(out[0].numpy(), per_channel[0] if depthwise else summed, atol=1e-12)
    if depthwise:
        np.testing.assert_allclose(out[2].numpy(), per_channel[1], atol=1e-12)


@pytest.mark.parametrize("n_channels", [1, 4])
def test_an_inception_module_follows_its_definition(n_channels):
    module = InceptionModule(n_channels, 2, 8, HandMadeFilters(n_channels)).double().eval()
    x = torch.randn(1, n_channels, 11, dtype=torch.float64)
    series = x[0].numpy()
    narrow = series if n_channels == 1 else module.bottleneck.weight.detach().numpy()[:, :, 0] @ series
    rows = [correlate(narrow, w) for layer in module.convolutions for w in layer.weight.detach().numpy()]
    padded = np.pad(series, ((0, 0), (1, 1)), constant_values=-np.inf)
    pooled = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    rows += list(module.pooled.weight.detach().numpy()[:, :, 0] @ pooled)
    for filters in all_filters():
        rows += [np.maximum(correlate(series, row[None].double().numpy().repeat(n_channels, 0)), 0) for row in filters]
    expected = np.maximum(np.array(rows) / np.sqrt(1 + BN_EPS), 0)
    np.testing.assert_allclose(module(x)[0].detach().numpy(), expected, atol=1e-12)


def test_shortcuts_of_residual_blocks():
    assert isinstance(ResidualBlock(64, 64, project=True).shortcut, nn.Conv1d)
    block = ResidualBlock(4, 4, project=False).double().eval()
    for convolution in block.convolutions:
        nn.init.zeros_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    x = torch.randn(2, 4, 9, dtype=torch.float64)
    torch.testing.assert_close(block(x), torch.relu(x / (1 + BN_EPS) ** 0.5))
