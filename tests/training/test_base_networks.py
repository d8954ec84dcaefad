"""Base networks of several seeds and resamples in one training step."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.errors import SsdBenchError
from ssd_cli.methods.ensembles import EnsAvg
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.stopwatch import Spent
from tests.small import EXACT, SHORT, fingerprint, waves, waves_training_set, workbench

DROPOUT = Dropout(0.2, 0.3)
PARTS = [waves_training_set(seed=0), waves_training_set(seed=5, resample=2)]
SEEDS = (0, 3)


def benches(store=None, parts=PARTS, execution="batched", recipe=EXACT):
    """Return a workbench for each training set and seed; each knows the others."""
    store, made = store or MemoryNetworks(), []
    for part in parts:
        for seed in SEEDS:
            others = partial(all_but, made, len(made))
            made.append(workbench(part, recipe, seed, networks=store, execution=execution, others=others))
    return made


def all_but(made, position):
    return [bench.context for bench in (*made[:position], *made[position + 1 :])]


def alone(bench, indices, **rule):
    """Return the same base networks, each trained alone."""
    apart = workbench(bench.training_set, EXACT, bench.context.seed)
    return [apart.base_network(index, **rule) for index in indices]


def assert_equal(networks, others):
    for network, other in zip(networks, others, strict=True):
        for (name, value), expected in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
            atol = 1e-6 if name.endswith(("second.0.bias", "second.1.running_mean")) else 1e-12  # such a bias is noise
            torch.testing.assert_close(value, expected, rtol=1e-9, atol=atol)


@pytest.mark.parametrize("execution", ["batched", "graph"])
@pytest.mark.parametrize("rule", [{}, {"stop": 0.5}, {"keep": "best"}, {"holdout": True}], ids=str)
def test_networks_of_seeds_and_resamples_in_one_step_equal_networks_trained_alone(execution, rule):
    made = benches(execution=execution)
    assert_equal(
        [bench.base_network(1, DROPOUT, **rule) for bench in made],
        [alone(bench, [1], dropout=DROPOUT, **rule)[0] for bench in made],
    )


def test_one_training_serves_all_cells_and_ensembles_share_theirs():
    made = benches()
    for bench in made:
        predictor = EnsAvg(members=2).fit(bench.training_set, bench)
        assert_equal(predictor.networks, alone(bench, range(2)))
    reused = [[entry.reused for entry in bench.ledger.entries] for bench in made]
    assert reused == [[False, False], *[[True, True]] * 3]


def test_the_bits_do_not_depend_on_which_cell_asks_first():
    first, last = benches(), benches()
    wanted = fingerprint(*[bench.base_network() for bench in first])
    assert fingerprint(*[bench.base_network() for bench in reversed(last)][::-1]) == wanted


def test_another_set_of_joint_cells_gives_other_networks():
    """The number of networks in a step may change how a device adds."""
    store = MemoryNetworks()
    many, few = benches(store), benches(store, PARTS[:1])
    many[0].base_network()
    few[0].base_network()
    keys = {bench.ledger.entries[0].key for bench in (many[0], few[0])}
    assert len(keys) == 2
    assert not few[0].ledger.entries[0].reused


def test_the_seconds_of_a_joint_training_are_shared_among_its_networks():
    made = benches()
    made[0].base_network()
    (entry,) = made[0].ledger.entries
    others = made[0].ledger.waited  # three networks of four
    assert others.wall_seconds >= 3 * entry.wall_seconds
    half = Spent(0.5, 0.5, 0.5)
    costs = made[0].ledger.summary(others + entry.spent + half, "cpu")
    assert costs["fit_seconds_alone"] == costs["fit_seconds_spent"] == pytest.approx(entry.fit_seconds + 0.5, rel=0.01)
    made[1].base_network()
    assert made[1].ledger.summary(made[1].ledger.waited, "cpu")["fit_seconds_spent"] == 0


def test_a_network_that_diverges_does_not_change_the_others():
    wild = dataclasses.replace(PARTS[1], X=PARTS[1].X.copy())
    wild.X[3] = np.inf
    store = MemoryNetworks()
    made = benches(store, parts=[PARTS[0], wild])
    assert_equal([made[0].base_network()], alone(made[0], [0]))
    for bench in made[2:]:
        with pytest.raises(SsdBenchError, match="loss became nan at epoch 1"):
            bench.base_network()
    assert made[1].base_network() is not None
    assert made[1].ledger.entries[0].reused


def test_padding_counts_even_where_no_case_of_a_part_has_it():
    X, y = waves(21)
    plain = dataclasses.replace(PARTS[0], X=X, y=y, resample=3)
    made = benches(parts=[PARTS[0], plain])
    _, validation = made[2].validation_split()
    case = int(np.flatnonzero((validation.X[0] == X).all((1, 2)))[0])
    X[case, :, 25:] = np.nan
    padded = dataclasses.replace(plain, X=X)
    for bench in benches(parts=[PARTS[0], padded]):
        assert bench.base_network(holdout=True) is not None


def test_training_sets_of_another_size_are_trained_apart():
    smaller = dataclasses.replace(waves_training_set(18), resample=1)
    X, y = waves(21)
    X[:, :, 25:] = np.nan
    padded = dataclasses.replace(PARTS[0], X=X, y=y, resample=3)
    made = benches(parts=[PARTS[0], smaller, padded])
    assert_equal([bench.base_network() for bench in made], [alone(bench, [0])[0] for bench in made])
    assert [bench.ledger.entries[0].reused for bench in made] == [False, True] * 3


def test_an_execution_without_joint_training_builds_no_other_context():
    def others():
        raise AssertionError

    assert fingerprint(workbench(others=others).base_network()) == fingerprint(workbench(recipe=SHORT).base_network())


@pytest.mark.parametrize("execution", ["plain", "batched"])
@pytest.mark.parametrize("programs", [("old", "new"), ("", "new"), ("2.0 torch 2.1", "2.0 torch 2.2")])
def test_networks_of_another_version_are_named(execution, programs):
    store, (before, now) = MemoryNetworks(), programs
    workbench(networks=store, execution=execution, program=before).base_networks([0])
    bench = workbench(networks=store, execution=execution, program=now)
    for index in (0, 1):  # one of the older version, one of this
        bench.base_networks([index])
    assert [entry.program for entry in bench.ledger.entries] == [before or "unknown", ""]
    assert bench.ledger.summary(Spent(), "cpu")["programs"] == 2
    same = workbench(networks=store, execution=execution, program=now)
    same.base_networks([1])
    assert same.ledger.entries[0].reused and same.ledger.summary(Spent(), "cpu")["programs"] == 1
