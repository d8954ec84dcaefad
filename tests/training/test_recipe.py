import json
from dataclasses import replace

import pytest

from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.inception import HInceptionBackbone, InceptionBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.configuration import configure
from ssd_cli.errors import MisuseError
from ssd_cli.methods.budget import fill_in
from ssd_cli.training import recipes
from ssd_cli.training.recipe import Recipe, ResolvedRecipe
from tests.small import SmallBackbone, build, waves_training_set, workbench


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


def counted(**changes):
    return Recipe(**{"epochs": 1000, "steps": 600, "epochs_min": 20, "batch_size": 10, "batch_divisor": 0} | changes).for_backbone(
        LITEBackbone
    )


@pytest.mark.parametrize(
    ("n_cases", "epochs"),
    [(10, 600), (11, 300), (60, 100), (601, 20), (6000, 20)],  # 1, 2, 6, 61 and 600 steps an epoch
)
def test_steps_become_epochs_within_bounds(n_cases, epochs):
    resolved = counted().for_cases(n_cases)
    assert (resolved.epochs, resolved.student_epochs) == (epochs, epochs // 4)
    assert resolved.steps is None and resolved.for_cases(1) == resolved


def test_few_steps_of_an_epoch_meet_the_upper_bound():
    assert counted(epochs=500).for_cases(10).epochs == 500


def test_a_student_has_bounds_of_its_own():
    recipe = counted(student_epochs_min=15, student_epochs=70)
    assert [recipe.for_cases(n).student_epochs for n in (10, 60, 601)] == [70, 25, 15]
    assert [recipe.for_cases(60).students(share) for share in (None, 0.1, 0.5, 1.0)] == [25, 15, 50, 100]


def test_a_recipe_of_epochs_is_the_same_for_every_training_set():
    assert paper(LITEBackbone).for_cases(17) == paper(LITEBackbone)


def test_the_identity_of_steps_holds_steps_and_bounds_and_not_the_epochs_of_one_dataset():
    recipe = counted(student_epochs_min=15)
    identity = json.loads(json.dumps(recipe.identity()))
    assert {name: identity[name] for name in ("epochs", "steps", "epochs_min", "student_epochs_min")} == {
        "epochs": 1000, "steps": 600, "epochs_min": 20, "student_epochs_min": 15
    }  # fmt: skip
    assert "student_share" not in identity and "steps" not in paper(LITEBackbone).identity()
    assert ResolvedRecipe.from_identity(identity) == recipe


@pytest.mark.parametrize(
    ("parameter", "value"), [("steps", "0"), ("epochs_min", "0"), ("student_share", "0"), ("student_share", "1.1")]
)
def test_impossible_lengths_are_refused(parameter, value):
    with pytest.raises(MisuseError, match=parameter):
        configure(recipes.get("fast"), "fast", {parameter: value})


def test_a_workbench_trains_the_epochs_of_its_training_set():
    bench = workbench(waves_training_set(30), counted(batch_size=10, steps=6, epochs=9, epochs_min=1))
    bench.base_network()
    (entry,) = bench.ledger.entries
    assert (bench.epochs, entry.epochs, entry.steps) == (2, 2, 6)


@pytest.mark.parametrize("backbone", [InceptionBackbone, HInceptionBackbone, LITEBackbone, ResNetBackbone, FCNBackbone])
def test_standard_takes_length_and_rate_from_the_backbone(backbone):
    resolved, searched = recipes.get("standard")().for_backbone(backbone), backbone.standard
    assert (resolved.steps, resolved.epochs_min, resolved.epochs, resolved.learning_rate) == searched
    assert (resolved.schedule, resolved.keep, resolved.bn_momentum) == ("cosine", "last", 0.1)


def test_what_the_user_sets_of_standard_wins():
    values = {"steps": "70", "epochs": "9", "epochs_min": "2", "learning_rate": "0.5"}
    resolved = configure(recipes.get("standard"), "standard", values).for_backbone(LITEBackbone)
    assert (resolved.steps, resolved.epochs, resolved.epochs_min, resolved.learning_rate) == (70, 9, 2, 0.5)


def test_equal_compute_shortens_steps_and_bounds_alike():
    recipe = configure(recipes.get("standard"), "standard", {"budget": "equal-compute"})
    full, fifth = (fill_in(recipe, LITEBackbone(), build(method)) for method in ("single", "ens-avg"))
    assert [getattr(fifth, name) * 5 for name in ("steps", "epochs", "epochs_min")] == [full.steps, full.epochs, full.epochs_min]
