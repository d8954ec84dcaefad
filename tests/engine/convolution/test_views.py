"""Every execution against the plain network: outputs, gradients, running statistics, training steps.

Tolerances. In float64 the two differ by rounding alone: 1e-9. In float32 outputs agree to 1e-4; a gradient may differ more where a
rounding error moves a pre-activation across the kink of a ReLU or changes the winner of a maximum: 1e-2 of the gradient's norm.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Dropout
from ssd_cli.engine.convolution import bilinear, recompute, resnet
from ssd_cli.engine.convolution.tiles import Tiling
from ssd_cli.engine.planner import bind

NAMES = ["fcn", "h-inception", "inception", "lite", "litemv", "resnet"]
RUNS = [*NAMES, "fcn bilinear", "inception bilinear", "h-inception bilinear", "resnet bilinear"]
# (n_cases, n_channels, n_timepoints): usual, odd and many channels, shorter than a kernel, one step, one case, cut into blocks.
SHAPES = [(4, 1, 150), (3, 5, 37), (2, 1, 7), (5, 3, 1), (1, 1, 50), (1, 2, 900), (6, 12, 31)]
WIDTHS = {"inception": 8, "h-inception": 8, "resnet": 8, "fcn": 8, "lite": 8, "litemv": 8}


@pytest.fixture
def everything_tiled(monkeypatch):
    """The tilings so far. Narrow networks have few channels, for which direct convolutions are cheaper; now they are tiled too."""
    used = []

    def tiling_for(n_cases, n_timepoints, taps, inputs, filters):
        used.append(Tiling(n_timepoints, taps, 1 + n_timepoints // 16))
        return used[-1]

    monkeypatch.setattr(bilinear, "tiling_for", tiling_for)
    return used


def run_by(network, name):
    """The execution that a name of `RUNS` asks for."""
    return bind(network, "bilinear" if name.endswith("bilinear") else "fft")


def build(name, n_channels, dropout=NO_DROPOUT, dtype=torch.float64, **parameters):
    """A narrow network whose norms look as if it had been trained: no pre-activation lies exactly on a kink."""
    name = name.removesuffix(" bilinear")
    parameters = {"width": WIDTHS[name]} | parameters
    if name == "litemv":
        name, parameters = "lite", parameters | {"separable": True}
    torch.manual_seed(len(name) + n_channels)
    network = backbones.get(name)(**parameters).build(n_channels, 3, dropout).to(dtype)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.1, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def seed_sites(network, seed=1):
    for i, site in enumerate(network.sites()):
        site.generator = torch.Generator().manual_seed(seed + i)


def pair(name, n_channels, **options):
    """Two equal networks: one to run plainly, one to run fast; and the fast execution."""
    plain = build(name, n_channels, **options)
    twin = copy.deepcopy(plain)
    for network in (plain, twin):
        seed_sites(network)
    return plain, twin, run_by(twin, name)


def losses(network, x, y):
    out = network(x)
    return F.cross_entropy(out.logits, y) + out.embedding.square().mean() + out.maps[0].mean() + out.maps[1].square().mean()


def close(a, b, tolerance):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def assert_equal_state(plain, twin, tolerance):
    for (key, a), (_, b) in zip(plain.state_dict().items(), twin.state_dict().items(), strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=lambda text, key=key: f"{key}: {text}")


def assert_equal_to_rounding(plain, twin, fast, shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    again = x.detach().clone().requires_grad_()
    y = torch.randint(3, shape[:1])
    a, b = plain(x), fast(again)
    for u, v in zip((a.logits, a.embedding, *a.maps), (b.logits, b.embedding, *b.maps), strict=True):
        assert u.shape == v.shape
        close(u, v, 1e-9)
    seed_sites(plain), seed_sites(twin)
    losses(plain, x, y).backward()
    losses(fast, again, y).backward()
    close(x.grad, again.grad, 1e-9)
    for (key, p), (_, q) in zip(plain.named_parameters(), twin.named_parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-8, atol=1e-9, msg=lambda text, key=key: f"{key}: {text}")
    assert_equal_state(plain, twin, 1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", RUNS)
def test_outputs_gradients_and_statistics_in_float64(name, shape, training):
    plain, twin, fast = pair(name, shape[1], dropout=Dropout(embed=0.3, mid=0.2))
    plain.train(training), twin.train(training)
    assert_equal_to_rounding(plain, twin, fast, shape)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["fcn bilinear", "resnet bilinear"])
def test_every_convolution_by_tiles(name, shape, training, everything_tiled):
    plain, twin, bilinear = pair(name, shape[1], dropout=Dropout(embed=0.3, mid=0.2))
    plain.train(training), twin.train(training)
    assert_equal_to_rounding(plain, twin, bilinear, shape)
    assert len(everything_tiled) == 2 * {"fcn bilinear": 3, "resnet bilinear": 9}[name]  # two forward passes


def test_resnet_convolves_many_channels_by_spectra(monkeypatch):
    used = []
    by_spectra = resnet.by_spectra
    monkeypatch.setattr(resnet, "by_spectra", lambda maps, kernels, bias: used.append(len(maps)) or by_spectra(maps, kernels, bias))
    assert_equal_to_rounding(*pair("resnet", 1, width=64), (40, 1, 30))
    assert 128 in used


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("name", RUNS)
def test_recomputed_maps_change_no_bit(name, momentum, monkeypatch, everything_tiled):
    results = []
    for large in (10**9, 1):
        monkeypatch.setattr(recompute, "LARGE", large)
        network = build(name, 2, dropout=Dropout(embed=0.3, mid=0.2), dtype=torch.float32)
        seed_sites(network)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum
        optimiser = torch.optim.Adam(network.parameters())
        torch.manual_seed(0)
        for _ in range(3):
            optimiser.zero_grad()
            losses(run_by(network, name), torch.randn(4, 2, 33), torch.tensor([0, 1, 2, 0])).backward()
            optimiser.step()
        results.append(network.state_dict())
    assert all(torch.equal(value, results[1][key]) for key, value in results[0].items())


@pytest.mark.parametrize("shape", [(8, 1, 150), (5, 3, 61), (4, 1, 24)], ids=str)
@pytest.mark.parametrize("name", RUNS)
def test_outputs_gradients_and_statistics_in_float32_at_full_width(name, shape):
    n_cases, n_channels, _ = shape
    width = {"resnet": 64, "fcn": 128}.get(name.removesuffix(" bilinear"), 32)
    plain, twin, fast = pair(name, n_channels, dtype=torch.float32, width=width)
    x, y = torch.randn(shape), torch.randint(3, (n_cases,))
    close(plain(x).logits, fast(x).logits, 1e-4)
    losses(plain, x, y).backward()
    losses(fast, x, y).backward()
    gradients = [torch.cat([p.grad.flatten() for p in network.parameters()]) for network in (plain, twin)]
    assert (gradients[0] - gradients[1]).norm() < 1e-2 * gradients[0].norm()
    assert_equal_state(plain, twin, 1e-4)


@pytest.mark.parametrize("name", RUNS)
def test_training_steps_with_dropout_at_both_sites(name, everything_tiled):
    plain, twin, fast = pair(name, 2, dropout=Dropout(embed=0.2, mid=0.1))
    x, y = torch.randn(10, 2, 45, dtype=torch.float64), torch.randint(3, (10,))
    for network, execution in ((plain, plain), (twin, fast)):
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7)
        for batch in (slice(0, 4), slice(4, 8), slice(8, 10), slice(0, 5)):
            optimiser.zero_grad()
            F.cross_entropy(execution(x[batch]).logits, y[batch]).backward()
            optimiser.step()
    # The biases before a norm have no gradient but rounding errors, which Adam divides by their own size plus eps.
    assert_equal_state(plain, twin, 1e-7)
    plain.eval(), twin.eval()
    close(plain(x).logits, fast(x).logits, 1e-7)


@pytest.mark.parametrize("name", RUNS)
def test_halves_can_be_used_separately(name, everything_tiled):
    plain, twin, fast = pair(name, 1, dropout=Dropout(embed=0.3, mid=0.3))
    x = torch.randn(4, 1, 40, dtype=torch.float64)
    for network in (plain, twin):
        network.eval()
        for site in network.sites():
            site.train()
    with torch.no_grad():
        stems = plain.stem(x), fast.stem(x)
        for _ in range(3):
            a, b = (f.pool(f.body(f.mid_site(maps))) for f, maps in zip((plain, fast), stems, strict=True))
            close(a, b, 1e-9)
            close(plain.classifier(plain.embed_site(a)), fast.classifier(fast.embed_site(b)), 1e-9)


@pytest.mark.parametrize("momentum", [0.3, None])
@pytest.mark.parametrize("name", ["inception", "resnet"])
def test_running_statistics_follow_the_momentum(name, momentum):
    plain, twin, fast = pair(name, 1)
    untrained, means = copy.deepcopy(plain.state_dict()), {key for key in plain.state_dict() if key.endswith("running_mean")}
    for network in (plain, twin):
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum
    for _ in range(3):
        x = torch.randn(4, 1, 30, dtype=torch.float64)
        plain(x), fast(x)
    assert means and not any(torch.equal(twin.state_dict()[key], untrained[key]) for key in means)
    assert_equal_state(plain, twin, 1e-9)


@pytest.mark.parametrize("name", RUNS)
def test_one_value_per_channel_cannot_be_normalised(name):
    plain, _, fast = pair(name, 1)
    x = torch.randn(1, 1, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="more than 1 value"):
        plain(x)
    with pytest.raises(ValueError, match="more than 1 value"):
        fast(x)


@pytest.mark.parametrize("convolution", ["fft", "bilinear"])
def test_frozen_parts_get_no_gradient(convolution):
    network = build("inception", 1)
    network.groups[0].requires_grad_(False)
    losses(bind(network, convolution), torch.randn(3, 1, 20, dtype=torch.float64), torch.tensor([0, 1, 2])).backward()
    assert all((p.grad is None) == key.startswith("groups.0") for key, p in network.named_parameters())


def test_bilinear_inception_uses_spectra_for_long_series(monkeypatch):
    network, x = build("inception", 1), torch.randn(2, 1, 81, dtype=torch.float64)
    monkeypatch.setattr(bilinear, "by_matrices", None)
    assert torch.equal(bind(network, "bilinear")(x).logits, bind(network, "fft")(x).logits)


def test_a_view_shares_weights_and_mode():
    network = build("lite", 1)
    fast = bind(network, "fft")
    x = torch.randn(3, 1, 20, dtype=torch.float64)
    fast.eval()
    assert not network.training and not network.first.norm.training
    before = fast(x).logits
    network.load_state_dict(build("lite", 2 - 1, dtype=torch.float64).state_dict())
    with torch.no_grad():
        network.classifier.bias.add_(1)
    close(fast(x).logits, before + 1, 1e-9)


@pytest.mark.parametrize("name", ["fcn", "resnet", "fcn bilinear", "resnet bilinear"])
def test_gradients_come_from_the_pool_in_the_layout_of_the_maps(name):
    """Another layout costs ten times the operation that meets it, without any other sign."""
    network = run_by(build(name, 1), name)
    maps = network.body(network.stem(torch.randn(4, 1, 40, dtype=torch.float64)))
    (gradient,) = torch.autograd.grad(network.pool(maps).square().sum(), maps)
    assert gradient.transpose(1, 2).is_contiguous() and maps.transpose(1, 2).is_contiguous()
    torch.testing.assert_close(gradient, (2 * maps.mean(-1) / 40).unsqueeze(-1).expand_as(maps), rtol=1e-12, atol=0)
