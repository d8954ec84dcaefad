import json
from dataclasses import replace

import pytest

from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.inception import HInceptionBackbone, InceptionBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.configuration import configure
from ssd_cli.errors import MisuseError
from ssd_cli.training import recipes
from ssd_cli.training.recipe import Recipe, ResolvedRecipe
from tests.small import SmallBackbone


def paper(backbone):
    return recipes.get("paper")().for_backbone(backbone)


@pytest.mark.parametrize(
    ("backbone", "epochs", "batches"),
    [
        # batches of training sets of 16, 100, 300 and 5000 cases
        (InceptionBackbone, 1500, (16, 64, 64, 64)),
        (LITEBackbone, 1500, (16, 64, 64, 64)),
        (HInceptionBackbone, 1500, (2, 10, 30, 64)),
        (ResNetBackbone, 1500, (2, 10, 30, 64)),
        (FCNBackbone, 2000, (2, 10, 16, 16)),
        (SmallBackbone, 1500, (16, 64, 64, 64)),
    ],
)
def test_paper_has_the_published_epochs_and_batches(backbone, epochs, batches):
    recipe = paper(backbone)
    assert recipe.epochs == epochs
    assert tuple(recipe.batch(n) for n in (16, 100, 300, 5000)) == batches


def test_paper_is_the_published_recipe():
    recipe = paper(InceptionBackbone)
    assert (recipe.learning_rate, recipe.schedule, recipe.keep, recipe.initialisation) == (1e-3, "plateau", "best", "glorot")
    assert recipe.bn_momentum == 0.01  # Keras's 0.99
    assert recipe.student_epochs == 100


def test_fast_and_smoke_differ_in_length_only():
    fast, smoke = (recipes.get(name)().for_backbone(LITEBackbone) for name in ("fast", "smoke"))
    assert (fast.epochs, fast.student_epochs, smoke.epochs, smoke.student_epochs) == (100, 25, 3, 1)
    assert (
        (fast.schedule, fast.keep, fast.bn_momentum) == (smoke.schedule, smoke.keep, smoke.bn_momentum) == ("cosine", "last", 0.1)
    )


@pytest.mark.parametrize(("epochs", "momentum"), [("499", 0.1), ("500", 0.01)])
def test_a_short_paper_forgets_the_initial_statistics_faster(epochs, momentum):
    recipe = configure(recipes.get("paper"), "paper", {"epochs": epochs}).for_backbone(LITEBackbone)
    assert recipe.bn_momentum == recipe.momentum() == momentum


def test_a_short_student_of_a_long_recipe_has_the_momentum_of_its_own_epochs():
    assert [paper(LITEBackbone).momentum(epochs) for epochs in (None, 100, 1500)] == [0.01, 0.1, 0.01]
    quicker = configure(recipes.get("paper"), "paper", {"bn_momentum": "0.3"}).for_backbone(LITEBackbone)
    assert [quicker.momentum(epochs) for epochs in (None, 100, 1500)] == [0.3, 0.3, 0.3]


def test_what_the_user_sets_is_never_filled_in():
    recipe = configure(
        recipes.get("paper"),
        "paper",
        {"epochs": "7", "student_epochs": "3", "batch_size": "5", "batch_divisor": "0", "bn_momentum": "0.01"},
    )
    recipe = recipe.for_backbone(FCNBackbone)
    assert (recipe.epochs, recipe.student_epochs, recipe.batch(100), recipe.momentum()) == (7, 3, 5, 0.01)


def test_a_batch_is_never_larger_than_the_training_set():
    assert Recipe().for_backbone(ResNetBackbone).batch(1) == 1
    assert Recipe().for_backbone(ResNetBackbone).batch(3) == 2


@pytest.mark.parametrize("parameter", ["epochs", "student_epochs", "batch_size", "learning_rate"])
def test_numbers_out_of_range_are_refused_with_their_name(parameter):
    with pytest.raises(MisuseError, match=parameter):
        configure(recipes.get("fast"), "fast", {parameter: "0"})


@pytest.mark.parametrize(("parameter", "value"), [("bn_momentum", "0"), ("bn_momentum", "3"), ("batch_divisor", "-1")])
def test_values_that_spoil_batches_or_statistics_are_refused(parameter, value):
    with pytest.raises(MisuseError, match=parameter):
        configure(recipes.get("fast"), "fast", {parameter: value})


@pytest.mark.parametrize(
    ("share", "epochs", "rounded"), [(0.55, 100, 55), (0.17, 1500, 255), (0.6, 5, 3), (0.5, 5, 3), (1.0, 7, 7)]
)
def test_a_share_of_the_epochs_is_rounded_up_from_its_exact_product(share, epochs, rounded):
    recipe = Recipe(epochs=epochs).for_backbone(LITEBackbone)
    assert recipe.epochs_of(share) == rounded
    assert recipe.epochs_after(share) == max(1, epochs - rounded)


@pytest.mark.parametrize("budget", ["equal-epochs", "equal-compute"])
def test_the_identity_of_a_resolved_recipe_gives_it_back(budget):
    recipe = replace(paper(FCNBackbone), budget=budget)
    assert ("budget" in recipe.identity()) == (budget == "equal-compute")
    assert ResolvedRecipe.from_identity(json.loads(json.dumps(recipe.identity()))) == recipe
