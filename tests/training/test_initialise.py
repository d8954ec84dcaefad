import pytest
import torch
from torch import nn

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import NO_DROPOUT, Dropout
from ssd_cli.training.initialise import initialise
from ssd_cli.training.recipe import Recipe
from tests.small import SmallBackbone, workbench


@pytest.mark.parametrize("layer", [nn.Conv1d(16, 32, 20), nn.Conv1d(64, 64, 8, groups=64), nn.Linear(128, 50)])
def test_glorot_weights_fill_keras_bounds_and_biases_are_zero(layer):
    initialise(layer, torch.Generator().manual_seed(0))
    kernel = layer.kernel_size[0] if isinstance(layer, nn.Conv1d) else 1
    bound = (6 / (kernel * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
    largest = layer.weight.abs().max().item()
    assert 0.95 * bound < largest <= bound
    assert layer.weight.mean().abs().item() < 0.15 * bound
    assert layer.bias.abs().max().item() == 0


def test_torch_weights_fill_the_bounds_of_fan_in():
    layer = nn.Conv1d(16, 32, 20)
    initialise(layer, torch.Generator().manual_seed(0), "torch")
    bound = (16 * 20) ** -0.5
    assert 0.95 * bound < layer.weight.abs().max().item() <= bound
    assert 0 < layer.bias.abs().max().item() <= bound


def test_dropout_rates_do_not_move_the_initialisation_and_indices_do():
    bench = workbench()
    plain, dropped, other = bench.fresh(0), bench.fresh(0, Dropout(0.5, 0.3)), bench.fresh(1)
    assert all(torch.equal(one, two) for one, two in zip(plain.parameters(), dropped.parameters(), strict=True))
    assert not torch.equal(plain.first[0].weight, other.first[0].weight)


class Recurrent(SmallBackbone):
    """With weights of a kind that is not drawn by `initialise`."""

    def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
        network = super().build(n_channels, n_classes, dropout)
        network.memory = torch.nn.GRU(2, 3)
        return network


def test_weights_of_any_layer_follow_from_the_seed_and_leave_the_global_stream_alone():
    torch.manual_seed(1)
    one = workbench(backbone=Recurrent()).fresh(0)
    after = torch.rand(1)
    torch.manual_seed(2)
    two = workbench(backbone=Recurrent()).fresh(0, Dropout(0.5, 0.3))
    torch.manual_seed(1)
    assert torch.equal(one.memory.weight_hh_l0, two.memory.weight_hh_l0)
    assert not torch.equal(one.memory.weight_hh_l0, workbench(backbone=Recurrent()).fresh(1).memory.weight_hh_l0)
    assert torch.equal(after, torch.rand(1))


def test_batch_norm_starts_at_the_identity_with_the_recipes_momentum():
    layer = workbench(recipe=Recipe(epochs=1, bn_momentum=0.07)).fresh(0).first[1]
    assert layer.momentum == 0.07
    assert torch.equal(layer.weight, torch.ones(4))
    assert torch.equal(layer.bias, torch.zeros(4))


def test_hand_made_filters_are_left_alone():
    backbone = backbones.get("lite")(width=2, kernel=4)
    network = workbench(backbone=backbone).fresh(0)
    untouched = backbone.build(1, 3)
    assert torch.equal(network.first.handmade.filters_8, untouched.first.handmade.filters_8)
