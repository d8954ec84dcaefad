"""The study's controls and rivals hold to the contract of every method, and become known methods where they change nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ssd_cli.configuration import configure, parse_label
from ssd_cli.costs.measure import count_macs
from ssd_cli.errors import MisuseError
from ssd_cli.methods.budget import fill_in
from ssd_cli.running.suite import parse_suite
from ssd_cli.running.worker import add_plugins
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.registry import recipes
from tests.contract import checks
from tests.plugins import forgotten
from tests.small import EXACT, SmallBackbone, build, weights, workbench

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
FILES = tuple(sorted([*(STUDY / "controls").glob("*.py"), *(STUDY / "rivals").glob("*.py")]))
NAMES = ["finetune-gentle", "mc-dropout", "single-long", "ssd-gentle"]
STORE = MemoryNetworks()


@pytest.fixture(autouse=True, scope="module")
def _plugins():
    with forgotten():
        assert sorted(add_plugins(FILES)) == NAMES
        yield


def fit(label):
    bench = workbench(recipe=EXACT, networks=STORE, backbone=SmallBackbone(12))
    return weights(build(label).fit(bench.training_set, bench).networks[0])


@pytest.mark.parametrize("name", NAMES)
def test_contract(name, tmp_path):
    checks.check_learns(name)
    checks.check_test_labels_do_not_matter(name, tmp_path)
    checks.check_seeds_matter(name)
    checks.check_neighbours_do_not_matter(name)


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("single-long[times=1]", "single"),
        (f"ssd-gentle[learning_rate={EXACT.learning_rate}]", "ssd"),
        (f"finetune-gentle[learning_rate={EXACT.learning_rate}]", "finetune"),
    ],
)
def test_what_changes_nothing_is_the_method_it_comes_from(label, known):
    np.testing.assert_allclose(fit(label), fit(known), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("single-long", "single"),
        ("single-long[times=1,mixup=true]", "single"),
        ("ssd-gentle", "ssd"),
        ("finetune-gentle", "finetune"),
        ("ssd-gentle", "finetune-gentle"),
    ],
)
def test_every_change_changes_the_network(label, known):
    assert np.abs(fit(label) - fit(known)).max() > 1e-6


@pytest.mark.parametrize("label", ["single-long[times=0]", "ssd-gentle[learning_rate=0]", "finetune-gentle[learning_rate=0]"])
def test_what_makes_no_sense_is_refused(label):
    with pytest.raises(MisuseError):
        build(label)


@pytest.mark.parametrize("sites", ["embed", "mid", "embed+mid"])
def test_monte_carlo_dropout_is_the_mean_over_masks_of_one_network(sites):
    def predictor(passes):
        bench = workbench(recipe=EXACT, networks=STORE)
        return build(f"mc-dropout[passes={passes},dropout_sites={sites}]").fit(bench.training_set, bench)

    bench = workbench(recipe=EXACT, networks=STORE)
    X, few = bench.training_set.X, predictor(20)
    network = bench.member(dropout=build(f"single-dropout[dropout_sites={sites}]").rates)
    assert weights(few.networks[0]).tobytes() == weights(network).tobytes()  # its batch norms have not moved
    members = few.member_probabilities(X)
    assert members.shape == (20, len(X), 3)
    np.testing.assert_allclose(few.predict_proba(X), members.mean(0), rtol=1e-12)
    np.testing.assert_array_equal(predictor(20).predict_proba(X), few.predict_proba(X))
    np.testing.assert_allclose(few.predict_proba(X[::-1].copy())[::-1], few.predict_proba(X), rtol=1e-9)
    # each mask by the network's own dropout sites
    rate = {"embed": 0.2, "mid": 0.1}
    for row in (0, 7):
        maps = network.stem(torch.as_tensor(X).double())
        keep = {"embed": few.masked.embed[row], "mid": few.masked.mid[row]}
        for site, mask in keep.items():
            assert set(mask.tolist()) <= ({0, 1 / (1 - rate[site])} if site in sites else {1.0})
        embedding = network.body(maps * keep["mid"][:, None]).mean(-1) * keep["embed"]
        np.testing.assert_allclose(members[row], network.classifier(embedding).softmax(-1).detach().numpy(), rtol=1e-9)
    # the spread of a mean of n masks falls like 1 / sqrt(n)
    many = predictor(900).member_probabilities(X)
    spread = [many.reshape(900 // n, n, *many.shape[1:]).mean(1).std(0).mean() for n in (1, 9)]
    assert spread[0] / spread[1] == pytest.approx(3, rel=0.15)


def test_monte_carlo_dropout_costs_what_its_passes_cost():
    X = workbench().training_set.X
    macs = {}
    for label in ("mc-dropout[passes=1]", "mc-dropout", "mc-dropout[dropout_sites=mid]", "mc-dropout[dropout_sites=mid,passes=1]"):
        bench = workbench(recipe=EXACT, networks=STORE)
        predictor = build(label).fit(bench.training_set, bench)
        macs[label] = predictor.costs["macs"]
        plain = count_macs(predictor.networks[0], torch.as_tensor(X[:1]))
    head, body = 6 * 3, (4 * 6 * 3) * X.shape[-1]
    assert macs == {
        "mc-dropout[passes=1]": plain,
        "mc-dropout": plain + 29 * head,
        "mc-dropout[dropout_sites=mid]": plain + 29 * (head + body),
        "mc-dropout[dropout_sites=mid,passes=1]": plain,
    }


@pytest.mark.parametrize("label", ["mc-dropout[passes=0]", "mc-dropout[dropout=0]"])
def test_monte_carlo_dropout_needs_masks(label):
    with pytest.raises(MisuseError):
        build(label)


def test_stated_costs():
    recipe = type(EXACT)(epochs=100, student_epochs=25)
    stated = {"single-long": 2, "single-long[mixup=true,times=1]": 1, "ssd-gentle": 1.25, "finetune-gentle": 1.25}
    for label, cost in stated.items():
        assert build(label).cost(recipe) == pytest.approx(cost), label


@pytest.mark.parametrize("name", ["controls", "rivals", "teacher_free"])
def test_the_suite_is_that_of_the_ablation(name):
    suite, ablation = (parse_suite(STUDY / f"{one}.yaml", {}) for one in (name, "ablation"))
    assert suite.dataset == ablation.dataset
    shared = ("backbone", "recipe", "resamples", "seeds")
    assert [getattr(suite, key) for key in shared] == [getattr(ablation, key) for key in shared]
    assert {(STUDY.parents[1] / path).resolve() for path in suite.plugin} == set((STUDY / name).glob("*.py"))
    for label in suite.method:
        build(label)


@pytest.mark.parametrize(("name", "epochs"), [("equal_one", 100), ("equal_five", 500)])
def test_a_suite_of_equal_compute_gives_all_methods_the_passes_of_one_training(name, epochs):
    suite, ablation = (parse_suite(STUDY / f"{one}.yaml", {}) for one in (name, "ablation"))
    for key in ("dataset", "backbone", "resamples", "seeds"):
        assert getattr(suite, key) == getattr(ablation, key)
    recipe, parameters = parse_label(suite.recipe)
    recipe = configure(recipes.get(recipe), recipe, parameters)
    for label in suite.method:
        trained = sum(training.epochs for training in build(label).trainings(fill_in(recipe, "lite", build(label))))
        assert 0.95 * epochs < trained <= epochs, label


@pytest.mark.parametrize(
    ("name", "backbone", "recipe"),
    [("small_inception", "inception", "fast"), ("small_lite", "lite", "fast"), ("small_lite_long", "lite", "fast[epochs=500]")],
)
def test_small_networks_are_compared_on_the_datasets_of_the_ablation(name, backbone, recipe):
    suite, ablation = (parse_suite(STUDY / f"{one}.yaml", {}) for one in (name, "ablation"))
    for key in ("dataset", "resamples", "seeds"):
        assert getattr(suite, key) == getattr(ablation, key)
    assert (suite.backbone, suite.recipe) == ((backbone,), recipe)
    for label in suite.method:
        build(label)
