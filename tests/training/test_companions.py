"""Networks of several seeds and resamples in one pass."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods.ens_avg import EnsAvg
from ssd_cli.training.networks import MemoryNetworks
from tests.small import EXACT, SHORT, fingerprint, waves, waves_training_set, workbench

DROPOUT = Dropout(0.2, 0.3)
PARTS = [waves_training_set(seed=0), waves_training_set(seed=5, resample=2)]
SEEDS = (0, 3)


def benches(store=None, parts=PARTS, execution="batched", recipe=EXACT):
    """A workbench for every training set and seed; each knows all others."""
    store, made = store or MemoryNetworks(), []
    for part in parts:
        for seed in SEEDS:
            others = partial(all_but, made, len(made))
            made.append(workbench(part, recipe, seed, networks=store, execution=execution, others=others))
    return made


def all_but(made, position):
    return [*made[:position], *made[position + 1 :]]


def alone(bench, indices, **rule):
    """The same members, each trained by itself."""
    apart = workbench(bench.training_set, EXACT, bench.seed)
    return [apart.member(index, **rule) for index in indices]


def assert_equal(networks, others):
    for network, other in zip(networks, others, strict=True):
        for (name, value), expected in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
            atol = 1e-6 if name.endswith(("second.0.bias", "second.1.running_mean")) else 1e-12  # such a bias is noise
            torch.testing.assert_close(value, expected, rtol=1e-9, atol=atol)


@pytest.mark.parametrize("execution", ["batched", "graph"])
@pytest.mark.parametrize("rule", [{}, {"stop": 0.5}, {"keep": "best"}, {"holdout": True}], ids=str)
def test_members_of_seeds_and_resamples_in_one_pass_equal_members_trained_alone(execution, rule):
    made = benches(execution=execution)
    assert_equal(
        [bench.member(1, DROPOUT, **rule) for bench in made], [alone(bench, [1], dropout=DROPOUT, **rule)[0] for bench in made]
    )


def test_one_pass_serves_all_and_ensembles_share_theirs():
    made = benches()
    for bench in made:
        predictor = EnsAvg(members=2).fit(bench.training_set, bench)
        assert_equal(predictor.networks, alone(bench, range(2)))
    reused = [[entry.reused for entry in bench.ledger.entries] for bench in made]
    assert reused == [[False, False], *[[True, True]] * 3]


def test_the_bits_do_not_depend_on_who_asks_first():
    first, last = benches(), benches()
    wanted = fingerprint(*[bench.member() for bench in first])
    assert fingerprint(*[bench.member() for bench in reversed(last)][::-1]) == wanted


def test_another_set_of_companions_makes_other_networks():
    """Who is in the pass may change how a device adds, so that a network of one pass never stands for that of another."""
    store = MemoryNetworks()
    many, few = benches(store), benches(store, PARTS[:1])
    many[0].member()
    few[0].member()
    keys = {bench.ledger.entries[0].key for bench in (many[0], few[0])}
    assert len(keys) == 2
    assert not few[0].ledger.entries[0].reused


def test_the_seconds_of_a_pass_are_shared_among_its_networks():
    made = benches()
    made[0].member()
    (entry,) = made[0].ledger.entries
    wall = 4 * entry.fit_seconds + 0.5  # half a second beside the training
    costs = made[0].ledger.summary(wall)
    assert costs["fit_seconds_alone"] == costs["fit_seconds_spent"] == pytest.approx(entry.fit_seconds + 0.5)


def test_training_sets_of_another_size_are_trained_apart():
    smaller = dataclasses.replace(waves_training_set(18), resample=1)
    X, y = waves(21)
    X[:, :, 25:] = np.nan
    padded = dataclasses.replace(PARTS[0], X=X, y=y, resample=3)
    made = benches(parts=[PARTS[0], smaller, padded])
    assert_equal([bench.member() for bench in made], [alone(bench, [0])[0] for bench in made])
    assert [bench.ledger.entries[0].reused for bench in made] == [False, True] * 3


def test_an_execution_without_passes_asks_nobody():
    def others():
        raise AssertionError

    assert fingerprint(workbench(others=others).member()) == fingerprint(workbench(recipe=SHORT).member())
