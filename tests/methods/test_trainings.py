"""What methods declare to train, against what their fits book."""

import dataclasses

import pytest

from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.training.networks import MemoryNetworks
from tests.small import SHORT, waves_training_set, workbench

RECIPE = dataclasses.replace(SHORT, epochs=5, student_epochs=2)
VARIANTS = {
    "ens-avg": {"members": 2},
    "ens-vote": {"members": 3},
    "ssd": {"teacher_stop": "early50"},
    "ssd-mid": {"teacher_stop": "last"},
    "finetune": {"dropout": 0.3, "student_epochs": 3},
    "swa": {"start": 0.5},
    "fge": {"start": 0.5, "cycle": 2},
    "snapshot": {"cycles": 2},
    "ens-kd": {"members": 2},
    "ban-k": {"generations": 2},
}


def fitted(method, **options):
    """The ledger of a fit, and the recipe."""
    bench = workbench(recipe=RECIPE, **options)
    method.fit(bench.training_set, bench)
    return bench.ledger.entries, bench.recipe


METHODS = [methods.get(name)() for name in methods.names()]  # now: other tests add plug-ins
METHODS += [methods.get(name)(**parameters) for name, parameters in VARIANTS.items()]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_method_trains_what_it_declares(method):
    entries, recipe = fitted(method)
    n_cases = waves_training_set().n_cases
    booked = [(entry.epochs, bool(entry.key), entry.n_cases < n_cases) for entry in entries]
    assert [(t.epochs, bool(t.shared), t.holdout) for t in method.trainings(recipe)] == booked


def test_two_methods_share_what_they_declare_to_share_and_nothing_else():
    store, keys = MemoryNetworks(), {}
    for method in METHODS:
        entries, recipe = fitted(method, networks=store)
        for entry, training in zip(entries, method.trainings(recipe), strict=True):
            if training.shared:
                keys.setdefault(training.shared, set()).add(entry.key)
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == len(keys) > 8


def test_a_method_that_declares_nothing_is_taken_for_one_training():
    class Plain(Method):
        def fit(self, training_set, workbench):
            return Predictor([workbench.base_network()])

    recipe = RECIPE.for_backbone("lite")
    assert [(t.epochs, t.shared) for t in Plain().trainings(recipe)] == [(5, "")]
    assert Plain().cost(recipe) == 1
