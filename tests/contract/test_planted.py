"""A backbone in a plug-in file satisfies every contract without a second edit."""

import pytest

from ssd_cli.backbones import backbones
from ssd_cli.methods import methods
from ssd_cli.running.plugins import add_plugins
from ssd_cli.testing import check_backbone
from ssd_cli.testing.methods import check_runs_on
from ssd_cli.training.recipe import Recipe

PLANTED = '''
from dataclasses import dataclass

from ssd_cli.backbones.base import NO_DROPOUT, Backbone
from ssd_cli.backbones import backbones
from ssd_cli.testing.problem import SmallNetwork


@backbones.register("planted")
@dataclass(frozen=True)
class Planted(Backbone):
    """A planted backbone."""

    published_epochs = 7
    published_batch_size = 5
    published_batch_divisor = 2

    filters: int = 3

    def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
        """Build an untrained network."""
        return SmallNetwork(n_channels, n_classes, dropout, self.filters)
'''


@pytest.fixture
def planted(tmp_path):
    file = tmp_path / "planted.py"
    file.write_text(PLANTED)
    assert add_plugins((file,)) == ["planted"]
    yield backbones.get("planted")()
    backbones.forget("planted")


def test_a_planted_backbone_keeps_the_contract(planted):
    check_backbone(planted)


def test_every_method_runs_on_a_planted_backbone_or_skips_it(planted):
    for entry in methods.entries():
        if not entry.plugin_sha256:  # other tests of the process may have added methods that are wrong on purpose
            check_runs_on(methods.get(entry.name)(), planted)


def test_its_published_training_is_that_of_the_recipes(planted):
    recipe = Recipe().for_backbone(planted)
    assert (recipe.epochs, recipe.batch_size, recipe.batch_divisor) == (7, 5, 2)
    assert Recipe(epochs=3).for_backbone(planted).epochs == 3
