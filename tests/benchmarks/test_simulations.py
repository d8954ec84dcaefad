"""The simulations agree with the package, which they check themselves on their first studies."""

import importlib

import numpy as np
import pytest


@pytest.fixture
def simulations():
    return importlib.import_module("simulations")


def test_one_winner_is_found_and_equal_methods_are_not(simulations):
    equal, winner = (simulations.row(30, 6, winner, 20) for winner in (False, True))
    assert len(equal) == len(winner) == len(simulations.RULES)
    power = [float(line.split("|")[-2].strip(" %")) for line in winner]
    assert min(power) > 5 and power[-1] == max(power)  # one-sided tests with aeon's own alpha find most


def test_the_gate_finds_a_large_drop(simulations):
    rng = np.random.default_rng(0)
    for drop, expected in ((0.0, 0.0), (0.2, 1.0)):
        reference, new = simulations.draw(rng, "normal", 20, 10, 3, drop)
        failed = simulations.alarms(reference, new)
        assert failed.mean() == expected
        assert failed.tolist() == [simulations.alarm(*pair) for pair in zip(reference, new, strict=True)]


def test_a_drop_in_one_cell_is_found_less_often(simulations):
    found = {}
    for where, index in {"everywhere": np.s_[:], **simulations.PLACES}.items():
        drop = np.zeros((simulations.N_DATASETS, simulations.N_METHODS, 1))
        drop[index] = 0.02
        found[where] = simulations.alarms(*simulations.draw(np.random.default_rng(1), "normal", 200, 10, 3, drop)).mean()
    assert found["everywhere"] >= found["one method"] > found["one dataset"] >= found["one dataset of one method"]


def test_the_shipped_reference_keeps_the_stated_rate_in_normal_noise_only(simulations):
    normal, heavy = (simulations.shipped(np.random.default_rng(0), tails, 3000, 1).mean() for tails in ("normal", "heavy"))
    assert normal < 0.016 and heavy > 0.025
