"""What recording a fit counts, against a table written from what methods declared before, and against what fits book."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ssd_cli.backbones import backbones
from ssd_cli.errors import MisuseError
from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.budget import fill_in
from ssd_cli.methods.recording import RecordedTraining, record_trainings
from ssd_cli.training import recipes
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.recipe import Recipe
from tests.small import SHORT, SmallBackbone, build, waves_training_set, workbench

TABLE = json.loads((Path(__file__).parent / "declared_trainings.json").read_text())
"""By label: joint base networks, refreshed batch norms, memory; by recipe and backbone the trainings as [times, epochs, shared
text, held out, step cost, series of a step]; epochs and student epochs under the budget of equal compute. Written from
`Method.trainings` and its companions, which recording replaced."""

RECIPES = {
    "fast": recipes.get("fast")(),
    "paper": recipes.get("paper")(),
    "one": Recipe(epochs=1),
    "seven": Recipe(epochs=7, student_epochs=3, keep="last"),
}
RECIPE = dataclasses.replace(SHORT, epochs=5, student_epochs=2)
VARIANTS = (
    "ens-avg[members=2]", "ens-vote[members=3]", "ssd[teacher_stop=early50]", "ssd-mid[teacher_stop=last]",
    "finetune[dropout=0.3,student_share=0.5]", "swa[start=0.5]", "fge[start=0.5,cycle=2]", "snapshot[cycles=2]",
    "ens-kd[members=2]", "ban-k[generations=2]",
)  # fmt: skip
LABELS = (*methods.names(), *VARIANTS)  # now: other tests add plug-ins


def recorded_in(where, label):
    name, _, backbone_name = where.partition(" ")
    return record_trainings(build(label), backbones.get(backbone_name)(), RECIPES[name].for_backbone(backbones.get(backbone_name)))


@pytest.mark.parametrize("label", TABLE)
def test_recording_finds_what_methods_declared(label):
    declared = TABLE[label]
    for where, expected in declared["trainings"].items():
        recorded = recorded_in(where, label)
        assert not recorded.error
        expanded = [tuple(training) for times, *training in expected for _ in range(times)]
        found = [dataclasses.astuple(training) for training in recorded.trainings]
        assert [one[:3] for one in found] == [one[:3] for one in expanded]
        assert [one[3:] for one in found] == [pytest.approx(one[3:], rel=1e-12) for one in expanded]
    names = ("joint", "refreshes_batch_norm", "second_halves", "augmentations")
    assert {name: getattr(recorded, name) for name in names} == {name: declared[name] for name in names}


@pytest.mark.parametrize("label", TABLE)
def test_the_budget_of_equal_compute_is_divided_as_before(label):
    for where, expected in TABLE[label]["equal_compute"].items():
        name, backbone_name = where.split()
        recipe = dataclasses.replace(RECIPES[name], budget="equal-compute")
        filled = fill_in(recipe, backbones.get(backbone_name)(), build(label))
        assert [filled.epochs, filled.student_epochs] == expected


def fitted(label, **options):
    """The ledger entries of a fit, and what recording finds for it."""
    method, bench = build(label), workbench(recipe=RECIPE, **options)
    method.fit(bench.training_set, bench)
    return bench.ledger.entries, record_trainings(method, bench.backbone, bench.recipe)


@pytest.mark.parametrize("label", VARIANTS)  # the contract checks the others
def test_a_method_trains_what_is_recorded(label):
    entries, recorded = fitted(label)
    n_cases = waves_training_set().n_cases
    booked = [(entry.epochs, bool(entry.key), entry.n_cases < n_cases) for entry in entries]
    assert [(t.epochs, bool(t.shared), t.holdout) for t in recorded.trainings] == booked


def test_two_methods_share_what_is_recorded_as_shared_and_nothing_else():
    store, keys = MemoryNetworks(), {}
    for label in LABELS:
        entries, recorded = fitted(label, networks=store)
        for entry, training in zip(entries, recorded.trainings, strict=True):
            if training.shared:
                keys.setdefault(training.shared, set()).add(entry.key)
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == len(keys) > 8


@dataclasses.dataclass(frozen=True)
class Twice(Method):
    """Ask for the same network twice, change global state, and fail if asked to."""

    fails: bool = False

    def fit(self, training_set, workbench):
        torch.set_num_threads(3)
        torch.manual_seed(5)
        np.random.seed(5)
        network = workbench.base_network()
        workbench.base_network()
        if self.fails:
            raise RuntimeError("no such thing")
        return Predictor([network])


def test_a_network_that_is_asked_for_twice_is_recorded_once_and_global_state_stays():
    before, threads, other = torch.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1].tolist()
    recorded = record_trainings(Twice(), SmallBackbone(), RECIPE.for_backbone(SmallBackbone))
    assert [training.epochs for training in recorded.trainings] == [5]
    assert recorded.cost == 1
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == other
    assert torch.get_num_threads() == threads


def test_a_fit_that_fails_is_estimated_but_gets_no_budget():
    recorded = record_trainings(Twice(fails=True), SmallBackbone(), RECIPE.for_backbone(SmallBackbone))
    assert len(recorded.trainings) == 1
    assert recorded.error == "RuntimeError: no such thing"
    assert fill_in(RECIPE, SmallBackbone(), Twice(fails=True)).epochs == 5
    with pytest.raises(MisuseError, match=r"(?s)cannot be counted .* no such thing"):
        fill_in(dataclasses.replace(RECIPE, budget="equal-compute"), SmallBackbone(), Twice(fails=True))


def test_a_fit_that_fails_before_any_training_counts_as_one_training():
    @dataclasses.dataclass(frozen=True)
    class Unready(Method):
        def fit(self, training_set, workbench):
            raise NotImplementedError

    assert record_trainings(Unready(), SmallBackbone(), RECIPE.for_backbone(SmallBackbone)).trainings == [RecordedTraining(5)]


def test_another_backbone_costs_as_a_plain_network_and_its_narrow_version_less():
    @dataclasses.dataclass(frozen=True)
    class Three(Method):
        def fit(self, training_set, workbench):
            kinds = (None, workbench.backbone.narrow(), SmallBackbone(9))
            networks = [workbench.fresh(0, backbone=kind) for kind in kinds]
            return Predictor([workbench.train(network, build_plain()) for network in networks])

    from ssd_cli.training.objective import CrossEntropy as build_plain

    recorded = record_trainings(Three(), SmallBackbone(), RECIPE.for_backbone(SmallBackbone))
    assert [training.step for training in recorded.trainings] == [1, 0.35, 1]
