"""Ensembles from one training: `snapshot` and `fge`."""

import dataclasses
import math

import numpy as np
import pytest

from ssd_cli.methods.cyclic_ensembles import FGE, Snapshot, annealed, triangle
from ssd_cli.training.recipe import Recipe
from tests.methods.test_weight_averaging import EndsOfEpochs
from tests.small import EXACT, fingerprint, waves_training_set, weights, workbench

TEN = Recipe(epochs=10, learning_rate=1e-2, schedule="cosine", keep="last", batch_size=8, bn_momentum=0.1, precision="fp64")


def states_of(networks):
    return [{name: value.numpy() for name, value in network.state_dict().items()} for network in networks]


def assert_same_states(networks, expected):
    assert len(networks) == len(expected)
    for found, state in zip(states_of(networks), expected, strict=True):
        assert found.keys() == state.keys()
        for name, value in state.items():
            np.testing.assert_array_equal(found[name], value.numpy())


def test_the_rate_of_a_snapshot_falls_from_its_first_value_to_almost_nothing_in_every_cycle():
    """Equation 2 of Huang et al. 2017 at steps 1, 11 and 20 of a cycle of 20."""
    ends = [20, 40, 60, 80, 100]
    for start in (0, 20, 40, 60, 80):
        assert annealed(start, ends) == 1
        assert annealed(start + 10, ends) == pytest.approx(0.5)
        assert annealed(start + 19, ends) == pytest.approx(0.0062, abs=5e-5)
    assert annealed(100, ends) == 0
    assert annealed(0.5, [1]) == pytest.approx(0.5)  # a step within an epoch


def test_the_rate_of_fge_is_lowest_in_the_middle_of_a_cycle():
    """Garipov et al. 2018, "Fast Geometric Ensembling": (1 - 2t) high + 2t low up to the middle, then mirrored."""
    lowest = 0.02
    for t in (0, 0.1, 0.25, 0.4, 0.5):
        expected = (1 - 2 * t) + 2 * t * lowest
        assert triangle(t, lowest) == pytest.approx(expected)
        assert triangle(3 + t, lowest) == pytest.approx(expected)
        assert triangle(1 - t, lowest) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("epochs", "cycles", "ends"), [(10, 5, [2, 4, 6, 8, 10]), (10, 3, [3, 6, 10]), (3, 5, [1, 2, 3]), (1, 5, [1])]
)
def test_snapshots_are_the_networks_at_the_ends_of_the_cycles(monkeypatch, epochs, cycles, ends):
    seen = EndsOfEpochs(monkeypatch)
    bench = workbench(recipe=dataclasses.replace(TEN, epochs=epochs))
    predictor = Snapshot(cycles=cycles).fit(bench.training_set, bench)
    assert len(seen.states) == epochs
    assert_same_states(predictor.networks, [seen.states[end - 1] for end in ends])
    rates = bench.ledger.entries[0].curve["learning_rate"]  # of each epoch's first step
    assert [rates[start] for start in [0, *ends[:-1]]] == [1e-2] * len(ends)


def test_fewer_snapshots_are_the_last_ones():
    bench = workbench(recipe=TEN)
    whole, last = (Snapshot(averaged=averaged).fit(bench.training_set, bench).networks for averaged in (None, 2))
    assert [fingerprint(network) for network in whole[-2:]] == [fingerprint(network) for network in last]


def test_one_cycle_is_a_training_with_a_cosine():
    """In one batch an epoch, where the cosine's steps are epochs."""
    bench = workbench(recipe=dataclasses.replace(EXACT, epochs=10, batch_size=64))
    (network,) = Snapshot(cycles=1).fit(bench.training_set, bench).networks
    np.testing.assert_allclose(weights(network), weights(bench.base_network(0)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("epochs", "cycle", "collected"),
    [
        (10, None, [9]),  # after 8 epochs: a cycle of 2
        (40, None, [31, 33, 35, 37, 39]),
        (40, 4, [32, 36, 40]),
        (40, 20, [40]),
        (40, 40, [40]),  # half a cycle is longer than what is left
        (4, None, [4]),
        (1, None, [2]),
    ],
)
def test_fge_collects_in_the_middle_of_every_cycle(monkeypatch, epochs, cycle, collected):
    seen = EndsOfEpochs(monkeypatch)
    bench = workbench(recipe=dataclasses.replace(TEN, epochs=epochs))
    predictor = FGE(cycle=cycle).fit(bench.training_set, bench)
    assert_same_states(predictor.networks, [seen.states[epoch - 1] for epoch in collected])


def test_the_default_cycle_of_fge_is_the_released_one_where_there_are_epochs_for_it():
    method = FGE()
    assert [method.cycle_of(epochs) for epochs in (1, 25, 39, 40, 375)] == [2, 2, 2, 4, 4]
    for remaining in (3, 8, 41):
        cycle = method.cycle_of(remaining)
        bench = workbench(waves_training_set(9), dataclasses.replace(TEN, epochs=remaining + 1))
        networks = FGE(start=1e-9, cycle=cycle).fit(bench.training_set, bench).networks
        assert len(networks) == math.floor((remaining + cycle / 2) / cycle)


def test_fge_goes_on_from_its_trunk_at_its_own_rates():
    bench = workbench(recipe=dataclasses.replace(TEN, epochs=40))
    FGE().fit(bench.training_set, bench)
    trunk, tail = bench.ledger.entries
    assert (trunk.label, trunk.epochs, tail.epochs) == ("member 0", 30, 10)
    np.testing.assert_allclose(tail.curve["learning_rate"], [5e-4, 1e-5] * 5)


@pytest.mark.parametrize("method", [Snapshot(), FGE()])
@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_both_cost_one_training(method, epochs):
    bench = workbench(recipe=dataclasses.replace(TEN, epochs=epochs))
    predictor = method.fit(bench.training_set, bench)
    assert sum(entry.epochs for entry in bench.ledger.entries) == epochs + (epochs == 1 and isinstance(method, FGE))
    assert len(predictor.networks) >= 1
