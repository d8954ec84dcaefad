"""The study's controls hold to the contract of every method, and become known methods where they change nothing."""

from pathlib import Path

import numpy as np
import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.running.suite import parse_suite
from ssd_cli.running.worker import add_plugins
from ssd_cli.training.networks import MemoryNetworks
from tests.contract import checks
from tests.plugins import forgotten
from tests.small import EXACT, SmallBackbone, build, weights, workbench

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
FILES = tuple(sorted((STUDY / "controls").glob("*.py")))
NAMES = ["finetune-gentle", "single-long", "ssd-gentle"]
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


def test_stated_costs():
    recipe = type(EXACT)(epochs=100, student_epochs=25)
    stated = {"single-long": 2, "single-long[mixup=true,times=1]": 1, "ssd-gentle": 1.25, "finetune-gentle": 1.25}
    for label, cost in stated.items():
        assert build(label).cost(recipe) == pytest.approx(cost), label


@pytest.mark.parametrize(("name", "plugins"), [("controls", FILES), ("rivals", ())])
def test_the_suite_is_that_of_the_ablation(name, plugins):
    suite, ablation = (parse_suite(STUDY / f"{one}.yaml", {}) for one in (name, "ablation"))
    assert suite.dataset == ablation.dataset
    shared = ("backbone", "recipe", "resamples", "seeds")
    assert [getattr(suite, key) for key in shared] == [getattr(ablation, key) for key in shared]
    assert {(STUDY.parents[1] / path).resolve() for path in suite.plugin} == set(plugins)
    for label in suite.method:
        build(label)
