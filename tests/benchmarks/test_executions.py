import importlib

import numpy as np
import pytest
from scipy.stats import ttest_1samp


@pytest.fixture
def executions():
    return importlib.import_module("executions")


def pairs(executions, shift, noise):
    rng = np.random.default_rng(0)
    keys = [(b, d, s) for b in executions.BACKBONES for d in executions.DATASETS for s in range(executions.N_SEEDS)]
    return [executions.Pair(*key, 95.0, 95.0 + shift + noise * rng.normal(), "fast") for key in keys]


def test_the_interval_is_that_of_two_one_sided_tests_at_five_percent(executions):
    values = [0.3, -0.1, 0.4, 0.2]
    mean, low, high = executions.interval(values)
    assert mean == pytest.approx(0.2)
    assert ttest_1samp(values, low, alternative="greater").pvalue == pytest.approx(0.05)
    assert ttest_1samp(values, high, alternative="less").pvalue == pytest.approx(0.05)


@pytest.mark.parametrize(("shift", "noise", "inside"), [(0, 0.5, True), (0, 5, False), (0.6, 0.1, False)])
def test_the_verdict_needs_the_whole_interval(executions, shift, noise, inside):
    text = executions.table(pairs(executions, shift, noise))
    assert text.count("lies within") == (2 if inside else 0)
    assert text.count("does NOT lie within") == (0 if inside else 2)


def test_the_figure_shows_every_pair(executions):
    figure = executions.draw(pairs(executions, 0, 0.5))
    points = [len(each.get_offsets()) for axes in figure.axes for each in axes.collections if len(each.get_offsets()) == 5]
    assert points == [5] * 10
