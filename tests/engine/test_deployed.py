import copy

import pytest
import torch

from ssd_cli.backbones.base import NO_DROPOUT, Dropout
from ssd_cli.backbones.fcn import FCNLayer, FCNNetwork
from ssd_cli.backbones.inception import InceptionNetwork
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.backbones.resnet import ResNetNetwork
from ssd_cli.engine.deployed import Deployed
from ssd_cli.engine.memory import kept_memory
from ssd_cli.engine.planner import bind
from ssd_cli.training.predict import freeze, outputs
from tests.engine.convolution.test_views import NAMES, build, everything_tiled  # noqa: F401 (a fixture)

# A single case, a few, enough for mixing matrices, with taps that reach beyond the series, and for fast ones.
SHAPES = [(1, 1, 40), (3, 4, 21), (60, 2, 30), (200, 1, 9), (16, 2, 100)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_deployed_network_predicts_what_the_network_does_in_evaluation_mode(name, shape, everything_tiled):  # noqa: F811
    network = build(name, shape[1], dropout=Dropout(embed=0.5, mid=0.5))
    x = torch.randn(shape, dtype=torch.float64)
    deployed = Deployed(network)(x)
    expected = network.eval()(x)
    for a, b in zip((*deployed[:2], *deployed.maps), (*expected[:2], *expected.maps), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    assert not deployed.logits.requires_grad


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["inception", "resnet", "lite"])
def test_a_network_that_pools_over_valid_steps_is_deployed_as_well(name, shape):
    network = MaskedNetwork(build(name, shape[1])).eval()
    x = torch.randn(shape, dtype=torch.float64)
    x[0, :, -7:] = torch.nan
    torch.testing.assert_close(Deployed(network)(x).logits, network(x).logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_folding_leaves_the_network_alone_and_no_norm_behind(name):
    network = build(name, 2)
    before = copy.deepcopy(network.state_dict())
    folded = Deployed(network).network
    assert network.training and not folded.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    left = [key for key, module in folded.named_modules() if isinstance(module, torch.nn.BatchNorm1d)]
    assert left == (["blocks.2.shortcut_norm"] if name == "resnet" else [])  # the shortcut that has no convolution


class Backwards(FCNLayer):
    """Normalises before it convolves."""

    def __init__(self, layer):
        super().__init__(layer.convolution.in_channels, layer.convolution.out_channels, 5)
        self.norm = torch.nn.BatchNorm1d(layer.convolution.in_channels)

    def forward(self, x):
        return self.activation(self.convolution(self.norm(x)))


class Ours(FCNNetwork):
    def __init__(self, *arguments, **sizes):
        super().__init__(*arguments, **sizes)
        self.layers[1] = Backwards(self.layers[1])
        self.layers[2].norm = torch.nn.GroupNorm(2, self.embedding_size)


class Doubled(ResNetNetwork):
    def body(self, maps):
        return 2 * super().body(maps)


class Halved(InceptionNetwork):
    def stem(self, x):
        return super().stem(x) / 2


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("kind", "sizes"),
    [(Ours, {"width": 4}), (Doubled, {"width": 4}), (Halved, {"width": 4, "depth": 6, "kernel": 8, "hybrid": False})],
)
def test_a_network_that_inherits_from_ours_predicts_what_it_computes_itself(kind, sizes, shape):
    network = kind(shape[1], 3, NO_DROPOUT, **sizes).double().eval()
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(norm.running_mean)
            torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(Deployed(network)(x).logits, network(x).logits, rtol=1e-9, atol=1e-9)


def test_one_deployed_network_predicts_series_of_several_lengths():
    network = build("inception", 1)
    deployed = Deployed(network)
    network.eval()
    for n_timepoints in (30, 31, 100, 30):
        x = torch.randn(60, 1, n_timepoints, dtype=torch.float64)
        torch.testing.assert_close(deployed(x).logits, network(x).logits, rtol=1e-9, atol=1e-9)


def test_a_deployed_network_does_not_follow_later_training():
    network = build("inception", 1)
    deployed = Deployed(network)
    for shape in ((1, 1, 30), (60, 1, 30)):
        x = torch.randn(shape, dtype=torch.float64)
        before = deployed(x).logits
        with torch.no_grad():
            network.classifier.bias.add_(1)
            network.groups[0].shortcut.weight.mul_(2)
        assert torch.equal(deployed(x).logits, before)


def test_kept_memory_changes_no_result():
    x = torch.randn(300, 300)
    expected = x @ x
    with kept_memory() as kept:
        assert isinstance(kept, bool)
        for _ in range(3):
            assert torch.equal(x @ x, expected)
    with kept_memory(n_steps=10**9) as kept:
        assert not kept
    assert torch.equal(x @ x, expected)


@pytest.mark.parametrize("name", ["inception", "h-inception", "lite"])
def test_spectra_are_kept_between_the_batches_of_one_prediction_only(name):
    """Otherwise a network that goes on being trained would be predicted with by its old kernels."""
    network = freeze(build(name, 1))
    fast, x = bind(network, "fft"), torch.randn(600, 1, 30, dtype=torch.float64)
    for _ in range(2):
        logits, _ = outputs(fast, x)
        torch.testing.assert_close(logits, outputs(network, x)[0], rtol=1e-9, atol=1e-9)
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(1.3)
