"""The proposals hold to the contract of every method, and become known methods where they add nothing."""

from pathlib import Path

import numpy as np
import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.running.suite import parse_suite
from ssd_cli.running.worker import add_plugins
from ssd_cli.training.networks import MemoryNetworks
from tests.contract import checks
from tests.plugins import forgotten
from tests.small import EXACT, SmallBackbone, build, waves_training_set, weights, workbench

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
FILES = tuple(sorted((STUDY / "proposals").glob("*.py")))
NAMES = ["ssd-swa", "ssd-soup", "ssd-ensemble"]
STORE = MemoryNetworks()


@pytest.fixture(autouse=True, scope="module")
def _plugins():
    with forgotten():
        assert sorted(add_plugins(FILES)) == sorted(NAMES)
        yield


def fit(label):
    bench = workbench(recipe=EXACT, networks=STORE, backbone=SmallBackbone(12))
    return build(label).fit(bench.training_set, bench), bench


@pytest.mark.parametrize("name", NAMES)
def test_contract(name, tmp_path):
    checks.check_learns(name)
    checks.check_test_labels_do_not_matter(name, tmp_path)
    checks.check_seeds_matter(name)
    checks.check_neighbours_do_not_matter(name)


def test_a_soup_of_one_student_is_ssd_with_fresh_batch_norms():
    soup, bench = fit("ssd-soup[students=1]")
    ssd = bench.refresh_batch_norm(fit("ssd")[0].networks[0])
    np.testing.assert_allclose(weights(soup.networks[0]), weights(ssd), rtol=1e-9, atol=1e-12)


def test_the_students_of_a_soup_differ_and_share_one_teacher():
    soup, bench = fit("ssd-soup[students=3]")
    labels = [entry.label for entry in bench.ledger.entries]
    assert labels == ["member 0", "student 0", "student 1", "student 2"]
    losses = [entry.curve["loss"] for entry in bench.ledger.entries[1:]]
    assert losses[0] != losses[1] != losses[2]
    assert len(soup.networks) == 1


def test_an_average_over_one_epoch_is_that_epoch():
    averaged, bench = fit("ssd-swa[student_epochs=1,learning_rate=0.01]")
    ssd = bench.refresh_batch_norm(fit("ssd[student_epochs=1]")[0].networks[0])
    np.testing.assert_allclose(weights(averaged.networks[0]), weights(ssd), rtol=1e-9, atol=1e-12)


def test_an_averaged_teacher_is_swa_with_dropout():
    averaged, _ = fit("ssd-swa[averaged_teacher=true,dropout=0,learning_rate=0.0005]")
    swa, _ = fit("swa")
    np.testing.assert_allclose(weights(averaged.teacher), weights(swa.networks[0]), rtol=1e-9, atol=1e-12)


def test_an_ensemble_without_distillation_weight_is_finetune():
    plain, _ = fit("ssd-ensemble[distillation_weight=0]")
    finetune, _ = fit("finetune")
    np.testing.assert_allclose(weights(plain.networks[0]), weights(finetune.networks[0]), rtol=1e-9, atol=1e-12)


def test_the_target_of_an_ensemble_is_the_mean_of_its_members_probabilities():
    import torch

    bench = workbench(recipe=EXACT, networks=STORE, backbone=SmallBackbone(12))
    method = build("ssd-ensemble[members=3,dropout=0,temperature=2]")
    teachers = bench.members(range(3))
    crowd = methods_module(method).Crowd(teachers, method, bench)
    x, _ = bench.tensors(bench.training_set)
    crowd.prepare(x)
    with torch.no_grad():
        expected = torch.stack([(teacher(x).logits / 2).softmax(-1) for teacher in teachers]).mean(0)
    torch.testing.assert_close(crowd._target(crowd.embeddings), expected, rtol=1e-9, atol=1e-12)


def methods_module(method):
    import sys

    return sys.modules[type(method).__module__]


def test_mixing_changes_what_is_learnt():
    mixed, _ = fit("ssd-ensemble[mixup=true]")
    plain, _ = fit("ssd-ensemble")
    assert np.abs(weights(mixed.networks[0]) - weights(plain.networks[0])).max() > 1e-3


def test_stated_costs():
    bench = workbench(waves_training_set())
    recipe = type(bench.recipe)(epochs=100, student_epochs=25)
    stated = {
        "ssd": 1.25,
        "ssd-swa": 1.25,
        "ssd-swa[averaged_teacher=true]": 1.25,
        "ssd-soup": 2.25,
        "ssd-ensemble": 5.25,
        "ssd-ensemble[mixup=true]": 5.67,
        "ssd-ensemble[student_epochs=100,mixup=true]": 7.67,
        "ssd[student_epochs=100,student_init=random,space=logit]": 2,
    }
    for label, cost in stated.items():
        assert build(label).cost(recipe) == pytest.approx(cost, abs=0.005), label


@pytest.mark.parametrize("label", ["ssd-soup[student_init=random]", "ssd-ensemble[members=1]", "ssd-ensemble[dropout_sites=mid]"])
def test_what_makes_no_sense_is_refused(label):
    with pytest.raises(MisuseError):
        build(label)


def test_the_suite_is_that_of_the_ablation():
    suite, ablation = (parse_suite(STUDY / f"{name}.yaml", {}) for name in ("proposals", "ablation"))
    assert suite.dataset == ablation.dataset
    assert (suite.backbone, suite.recipe, suite.resamples, suite.seeds) == (
        ablation.backbone,
        ablation.recipe,
        ablation.resamples,
        ablation.seeds,
    )
    assert {(STUDY.parents[1] / path).resolve() for path in suite.plugin} == {path.resolve() for path in FILES}
    for label in suite.method:
        build(label)
