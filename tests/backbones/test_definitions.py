"""Whole networks against their definition, written down a second time: kernels, dilations, norms, shortcuts, activations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.handmade import all_filters


def same(x, weight, bias=None, dilation=1, groups=1):
    """A cross-correlation with floor((k - 1) d / 2) zeros on the left, the rest on the right."""
    span = (weight.shape[-1] - 1) * dilation
    return F.conv1d(F.pad(x, (span // 2, span - span // 2)), weight, bias, dilation=dilation, groups=groups)


def handmade(x):
    """The responses of every channel to the frozen filters; summing the channels first is filtering all of them alike."""
    responses = [same(x[:, c : c + 1], filters[:, None].double()) for filters in all_filters() for c in range(x.shape[1])]
    return F.relu(torch.cat(responses, 1))


class State:
    """The weights of a network by the names of its layers."""

    def __init__(self, network):
        self.values = network.state_dict()

    def convolve(self, x, name, taps, **options):
        weight = self.values[f"{name}.weight"]
        assert weight.shape[-1] == taps
        return same(x, weight, self.values.get(f"{name}.bias"), **options)

    def separable(self, x, name, taps, dilation=1):
        maps = self.convolve(x, f"{name}.depthwise", taps, dilation=dilation, groups=x.shape[1])
        return self.convolve(maps, f"{name}.pointwise", 1)

    def norm(self, x, name):
        mean, variance, weight, bias = (
            self.values[f"{name}.{part}"][:, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-3).sqrt() * weight + bias


def inception(state, x, hybrid=False):
    for g in range(2):
        maps = x
        for m in range(3):
            name = f"groups.{g}.inception_modules.{m}"
            narrow = state.convolve(maps, f"{name}.bottleneck", 1) if maps.shape[1] > 1 else maps
            branches = [state.convolve(narrow, f"{name}.convolutions.{i}", taps) for i, taps in enumerate((40, 20, 10))]
            branches.append(state.convolve(F.max_pool1d(maps, 3, 1, 1), f"{name}.pooled", 1))
            if hybrid and g == m == 0:
                branches.append(handmade(maps.sum(1, keepdim=True)))
            maps = F.relu(state.norm(torch.cat(branches, 1), f"{name}.norm"))
        shortcut = state.norm(state.convolve(x, f"groups.{g}.shortcut", 1), f"groups.{g}.shortcut_norm")
        x = F.relu(shortcut + maps)
    return x


def h_inception(state, x):
    return inception(state, x, hybrid=True)


def lite(state, x, multivariate=False):
    convolve = state.separable if multivariate else state.convolve
    branches = [convolve(x, f"first.convolutions.{i}", taps) for i, taps in enumerate((40, 20, 10))]
    branches.append(handmade(x if multivariate else x.sum(1, keepdim=True)))
    maps = F.relu(state.norm(torch.cat(branches, 1), "first.norm"))
    maps = F.relu(state.norm(state.separable(maps, "second.convolution", 20, dilation=2), "second.norm"))
    return F.relu(state.norm(state.separable(maps, "third.convolution", 10, dilation=4), "third.norm"))


def litemv(state, x):
    return lite(state, x, multivariate=True)


def resnet(state, x):
    for b in range(3):
        maps = x
        for i, taps in enumerate((8, 5, 3)):
            maps = state.norm(state.convolve(maps, f"blocks.{b}.convolutions.{i}", taps), f"blocks.{b}.norms.{i}")
            maps = F.relu(maps) if i < 2 else maps
        shortcut = state.convolve(x, f"blocks.{b}.shortcut", 1) if b < 2 else x
        x = F.relu(state.norm(shortcut, f"blocks.{b}.shortcut_norm") + maps)
    return x


def fcn(state, x):
    for i, taps in enumerate((8, 5, 3)):
        x = F.relu(state.norm(state.convolve(x, f"layers.{i}.convolution", taps), f"layers.{i}.norm"))
    return x


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("definition", [inception, h_inception, lite, litemv, resnet, fcn], ids=lambda one: one.__name__)
def test_a_network_is_its_definition(definition, n_channels):
    torch.manual_seed(0)
    name, parameters = definition.__name__.replace("_", "-"), {}
    if definition is litemv:
        name, parameters = "lite", {"separable": True}
    network = backbones.get(name)(**parameters).build(n_channels, 4).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):  # as after a training; small variances let the epsilon be seen
            for values, low, high in ((module.running_mean, -0.3, 0.3), (module.running_var, 0.01, 1), (module.weight, 0.5, 1.5)):
                nn.init.uniform_(values, low, high)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    x = torch.randn(3, n_channels, 70, dtype=torch.float64)
    with torch.no_grad():
        outputs, embedding = network(x), definition(State(network), x).mean(-1)
    logits = embedding @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(outputs.embedding, embedding, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(outputs.logits, logits, rtol=1e-9, atol=1e-9)
