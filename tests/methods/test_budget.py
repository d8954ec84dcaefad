"""The budget "equal-compute": whatever a method trains, it has the passes of one network."""

from dataclasses import replace

import pytest

from ssd_cli.backbones import backbones
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.configuration import configure, label
from ssd_cli.errors import MisuseError
from ssd_cli.methods import budget, methods
from ssd_cli.training import recipes
from ssd_cli.training.recipe import Recipe
from tests.small import SHORT, SmallBackbone, recorded, waves_training_set, workbench

NAMES = methods.names()  # now: other tests add plug-ins


def recipe(name, **changes):
    return replace(recipes.get(name)(), budget="equal-compute", **changes)


def passes(method, filled):
    return recorded(method, filled).budget_epochs


def fill_in(wanted, backbone, method, label="The method"):
    return budget.fill_in(wanted, backbones.get(backbone)() if backbone != "small" else SmallBackbone(), method, label)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wanted", [recipe("fast"), recipe("paper"), recipe("fast", epochs=37)], ids=["fast", "paper", "37 epochs"])
def test_the_budget_is_kept_and_used_up(name, wanted):
    method = methods.get(name)()
    full = wanted.for_backbone(LITEBackbone)
    filled = fill_in(wanted, "lite", method)
    assert passes(method, filled) <= full.epochs + 1e-9
    if filled.epochs < full.epochs:
        students = max(1, round(full.student_epochs * (filled.epochs + 1) / full.epochs))
        longer = replace(filled, epochs=filled.epochs + 1, student_epochs=students)
        assert passes(method, longer) > full.epochs + 1e-9


@pytest.mark.parametrize(
    ("text", "epochs"),
    [
        ("single", [100]),
        ("swa", [100]),
        ("ens-avg", [20] * 5),
        ("ens-avg[members=3]", [33] * 3),
        ("ssd", [80, 20]),
        ("finetune", [80, 20]),
        ("ssd[student_share=1]", [50, 50]),
        ("kd", [50, 50]),
        ("ens-kd", [16] * 6),
        ("ban-k", [25] * 4),
        ("soup-uniform", [24] + [15] * 5),
    ],
)
def test_the_epochs_of_each_network_by_hand(text, epochs):
    name, _, parameters = text.rstrip("]").partition("[")
    method = configure(methods.get(name), name, dict(part.split("=") for part in parameters.split(",") if part))
    assert [training.epochs for training in recorded(method, fill_in(recipe("fast"), "lite", method)).trainings] == epochs


def test_a_budget_of_one_network_changes_nothing_for_it():
    single, wanted = methods.get("single")(), recipe("fast")
    usual = replace(wanted, budget="equal-epochs")
    assert replace(fill_in(wanted, "lite", single), budget="equal-epochs") == fill_in(usual, "lite", single)
    assert fill_in(usual, "lite", methods.get("ens-avg")()) == usual.for_backbone(LITEBackbone)


def test_shortened_trainings_have_the_momentum_of_their_own_epochs():
    ensemble = methods.get("ens-avg")()
    assert fill_in(recipe("paper"), "lite", methods.get("single")()).bn_momentum == 0.01
    assert fill_in(recipe("paper"), "lite", ensemble).bn_momentum == 0.1  # 300 epochs, below SLOW_MOMENTUM_FROM


def test_students_are_shortened_as_their_teachers():
    filled = fill_in(recipe("paper"), "inception", methods.get("ssd")())
    assert (filled.epochs, filled.student_epochs) == (1406, 94)


def test_a_method_that_does_not_fit_is_refused_by_name():
    with pytest.raises(MisuseError, match=r"(?s)^ens-avg does not fit into a budget of 3 epochs .* these take 5 epochs"):
        fill_in(recipe("smoke"), "lite", methods.get("ens-avg")(), "ens-avg")


def test_the_steps_booked_are_those_of_one_network():
    steps = {}
    for name in ("single", "ens-avg", "ban-k", "finetune"):
        method = methods.get(name)()
        filled = fill_in(replace(SHORT, epochs=20, student_epochs=None, budget="equal-compute"), "small", method)
        bench = workbench(recipe=filled)
        method.fit(waves_training_set(), bench)
        steps[name] = sum(entry.steps for entry in bench.ledger.entries)
    assert set(steps.values()) == {steps["single"]}


def test_the_usual_budget_leaves_no_trace_in_identities():
    assert "budget" not in Recipe().for_backbone(LITEBackbone).identity()
    assert recipe("fast").for_backbone(LITEBackbone).identity()["budget"] == "equal-compute"
    assert label("fast", recipe("fast")) == "fast[budget=equal-compute]"
