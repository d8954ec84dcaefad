import importlib

import pytest
import torch
from torch import nn

from ssd_cli.backbones import backbones


def trained_layers(network):
    kinds = nn.Conv1d | nn.Linear | nn.BatchNorm1d
    return [layer for layer in network.modules() if isinstance(layer, kinds) and layer.weight.requires_grad]


def copy_weights(source, target):
    """Layer by layer, each to the first free one of its kind and shape: both list the like ones in the order of the data."""
    free = trained_layers(target)
    for layer in trained_layers(source):
        twin = next(each for each in free if alike(each, layer))
        twin.load_state_dict(layer.state_dict())
        free.remove(twin)
    assert not free


def alike(a, b):
    return isinstance(a, nn.BatchNorm1d) == isinstance(b, nn.BatchNorm1d) and a.weight.shape == b.weight.shape


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("name", ["inception", "resnet", "lite"])
def test_the_textbook_network_is_the_backbone(name, n_channels):
    textbook = importlib.import_module("textbook")
    torch.manual_seed(0)
    theirs, ours = textbook.build(name, n_channels, 4), backbones.get(name)().build(n_channels, 4)
    copy_weights(theirs, ours)
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.eps = 1e-3  # Keras's, which the backbones have
    x = torch.randn(5, n_channels, 71)
    torch.testing.assert_close(theirs(x), ours(x).logits, rtol=1e-4, atol=1e-5)


def test_the_textbook_loop_trains():
    textbook = importlib.import_module("textbook")
    torch.manual_seed(0)
    y = torch.arange(20) % 2
    X = torch.randn(20, 1, 30) + 2 * y[:, None, None]
    epochs = []
    losses = textbook.train(textbook.build("lite", 1, 2), X.numpy(), y.numpy(), 8, 12, lambda: epochs.append(1))
    assert len(epochs) == len(losses) == 12
    assert losses[-1] < losses[0] / 2
