import copy
from dataclasses import FrozenInstanceError

import pytest
import torch

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Dropout
from ssd_cli.configuration import configure
from ssd_cli.errors import MisuseError

NAMES = ["fcn", "h-inception", "inception", "lite", "resnet"]
# Trainable parameters without the head, as functions of the number of channels; the head has D K + K.
TRUNKS = {
    "inception": (lambda c: 420_192 if c == 1 else 489_472 + 192 * c, 128),
    "h-inception": (lambda c: 421_314 if c == 1 else 490_594 + 192 * c, 128),
    "resnet": (lambda c: 503_424 + 576 * c, 128),
    "fcn": (lambda c: 263_680 + 1_024 * c, 128),
    "lite": (lambda c: 2_240 * c + 7_574, 32),
    "litemv": (lambda c: 1_084 * c + 6_656, 32),
}


def build(name, n_channels=1, n_classes=3, dropout=NO_DROPOUT, **parameters):
    if name == "litemv":
        name, parameters = "lite", {"separable": True}
    return backbones.get(name)(**parameters).build(n_channels, n_classes, dropout)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def test_the_registry_finds_the_five_backbones():
    assert set(NAMES) <= set(backbones.names())
    assert all(entry.summary for entry in backbones.entries())


@pytest.mark.parametrize("n_classes", [2, 6, 60])
@pytest.mark.parametrize("n_channels", [1, 2, 9, 64, 128])
@pytest.mark.parametrize("name", TRUNKS)
def test_trainable_parameters(name, n_channels, n_classes):
    trunk, size = TRUNKS[name]
    assert count(build(name, n_channels, n_classes)) == trunk(n_channels) + (size + 1) * n_classes


def test_the_published_totals_of_inception():
    assert count(build("inception", 1, 2)) == 420_450
    assert count(build("inception", 9, 6)) == 491_974
    assert count(build("inception", 1, 2, width=16)) == 106_160 + 65 * 2
    assert count(build("inception", 1, 2, width=8)) == 27_096 + 33 * 2


@pytest.mark.parametrize(
    ("name", "trunk"), [("inception", 41_990), ("h-inception", 42_364), ("resnet", 50_140), ("fcn", 26_400), ("lite", 1_966)]
)
def test_the_narrow_versions(name, trunk):
    network = backbones.get(name)().narrow().build(1, 2)
    assert count(network) == trunk + (network.embedding_size + 1) * 2


@pytest.mark.parametrize("width", [1, 2, 4, 8, 64, 256])
@pytest.mark.parametrize("name", ["inception", "h-inception", "resnet", "fcn", "lite"])
def test_a_narrow_version_is_narrower_than_what_it_is_taken_from(name, width):
    wide = backbones.get(name)(width=width)
    narrow = wide.narrow()
    assert narrow.width < width or narrow.width == width == 1
    if width >= 64:
        assert 4 < count(wide.build(1, 2)) / count(narrow.build(1, 2)) < 12  # a fifth (LITE) to a tenth of the parameters


@pytest.mark.parametrize("n_channels", [1, 5])
@pytest.mark.parametrize("name", ["h-inception", "lite", "litemv"])
def test_hand_made_filters_are_frozen_and_not_stored(name, n_channels):
    network = build(name, n_channels)
    filters = {key: value for key, value in network.named_buffers() if "filters_" in key}
    assert sum(value.numel() for value in filters.values()) == 438 * n_channels
    assert not any(value.requires_grad for value in filters.values())
    assert not set(filters) & set(network.state_dict())
    before = copy.deepcopy(filters)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    network(torch.randn(4, n_channels, 30)).logits.square().sum().backward()
    optimiser.step()
    assert all(torch.equal(before[key], value) for key, value in filters.items())


@pytest.mark.parametrize("n_timepoints", [1, 7, 24, 101])
@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("name", TRUNKS)
def test_shapes_and_the_order_of_the_halves(name, n_channels, n_timepoints):
    network = build(name, n_channels).eval()
    x = torch.randn(5, n_channels, n_timepoints)
    out = network(x)
    stem = network.stem(x)
    assert out.logits.shape == (5, 3) and out.embedding.shape == (5, network.embedding_size)
    assert out.maps[0].shape[::2] == out.maps[1].shape[::2] == (5, n_timepoints)
    assert torch.equal(out.maps[0], stem) and torch.equal(out.maps[1], network.body(stem))
    assert torch.equal(out.embedding, network.pool(out.maps[1]))
    assert torch.equal(out.logits, network.classifier(out.embedding))


@pytest.mark.parametrize(
    ("name", "stem", "body"),
    [
        ("inception", {"groups.0"}, {"groups.1"}),
        ("h-inception", {"groups.0"}, {"groups.1"}),
        ("resnet", {"blocks.0"}, {"blocks.1", "blocks.2"}),
        ("fcn", {"layers.0"}, {"layers.1", "layers.2"}),
        ("lite", {"first"}, {"second", "third"}),
    ],
)
def test_the_mid_site_lies_where_it_is_said_to(name, stem, body):
    network = build(name)

    def touched(output):
        network.zero_grad()
        output.square().sum().backward()
        return {
            ".".join(key.split(".")[: 2 if key.startswith(("groups", "blocks", "layers")) else 1])
            for key, parameter in network.named_parameters()
            if parameter.grad is not None
        }

    maps = network.stem(torch.randn(2, 1, 20))
    assert touched(maps) == stem
    assert touched(network.body(maps.detach())) == body


# Eval-mode predictions of a series do not depend on its neighbours. Bits may differ, since the library chooses other kernels for
# other batch sizes; 1e-5 is far below what batch statistics would change, as the last assertion shows.
@pytest.mark.parametrize("name", TRUNKS)
def test_batch_composition_does_not_change_predictions(name):
    torch.manual_seed(0)
    network = build(name, 2)
    x = torch.randn(9, 2, 33) * torch.linspace(0.1, 3, 9)[:, None, None]
    for _ in range(3):
        network(x)
    network.eval()
    together = network(x).logits
    alone = torch.cat([network(case[None]).logits for case in x])
    shuffled = network(x.flip(0)).logits.flip(0)
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(shuffled, together, rtol=1e-5, atol=1e-5)
    network.train()
    with torch.no_grad():
        assert not torch.allclose(network(x[:4]).logits, network(x).logits[:4], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", TRUNKS)
def test_dropout_acts_in_training_mode_only_at_its_sites(name):
    network = build(name, dropout=Dropout(embed=0.5, mid=0.5))
    for site in network.sites():
        site.generator = torch.Generator().manual_seed(1)
    assert network.dropout == Dropout(embed=0.5, mid=0.5)
    x = torch.randn(4, 1, 20)
    network.eval()
    assert torch.equal(network(x).logits, network(x).logits)
    for site in network.sites():
        site.train()
    a, b = network(x), network(x)
    assert torch.equal(a.maps[0], b.maps[0]) and not torch.equal(a.maps[1], b.maps[1])
    assert not torch.equal(a.logits, b.logits)


@pytest.mark.parametrize("name", TRUNKS)
def test_a_dropout_rate_changes_no_weight(name):
    torch.manual_seed(3)
    plain = build(name).state_dict()
    torch.manual_seed(3)
    dropping = build(name, dropout=Dropout(embed=0.2, mid=0.1)).state_dict()
    assert plain.keys() == dropping.keys() and all(torch.equal(plain[key], dropping[key]) for key in plain)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("inception", {"depth": "4"}),
        ("inception", {"depth": "3"}),
        ("inception", {"width": "0"}),
        ("inception", {"kernel": "3"}),
        ("h-inception", {"width": "wide"}),
        ("resnet", {"width": "0"}),
        ("fcn", {"width": "-1"}),
        ("lite", {"separable": "perhaps"}),
        ("lite", {"kernel": "2"}),
        ("lite", {"width": "0"}),
    ],
)
def test_impossible_parameters_are_misuse(name, parameters):
    with pytest.raises(MisuseError):
        configure(backbones.get(name), name, parameters)


def test_configurations_are_frozen_and_of_their_own():
    backbone = backbones.get("inception")()
    with pytest.raises(FrozenInstanceError):
        backbone.width = 3
    assert backbones.get("h-inception")() != backbone
    deeper = configure(backbones.get("inception"), "inception", {"depth": "9"}).build(1, 2)
    assert count(deeper) > count(build("inception", 1, 2))
