"""The simulation computes the intervals that scipy computes, and sees which ones cover."""

import importlib

import numpy as np
import pytest
import scipy.stats


@pytest.fixture
def intervals():
    return importlib.import_module("intervals")


@pytest.mark.parametrize("n", [8, 30])
def test_bootstraps_agree_with_scipy(intervals, n, monkeypatch):
    monkeypatch.setattr(intervals, "N_DRAWS", 20_000)
    rng = np.random.default_rng(n)
    values = rng.lognormal(0, 0.5, n)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=20_000) / n
    percentile, bca, _ = intervals.bootstraps(values, weights)
    for found, method in ((percentile, "percentile"), (bca, "BCa")):
        expected = scipy.stats.bootstrap((values,), np.mean, method=method, n_resamples=20_000, rng=1).confidence_interval
        assert found == pytest.approx(tuple(expected), abs=0.05 * (expected.high - expected.low))


def test_the_narrow_interval_covers_less(intervals):
    shares, widths = intervals.coverage(intervals.worlds()["normal"], 8, 200)
    named = dict(zip(intervals.KINDS, shares, strict=True))
    assert named["percentile"] < 0.92 < named["t"] <= named["package"]
    assert widths[0] < widths[3] < widths[4]


def test_real_differences_come_from_pairs_of_methods(intervals):
    assert len(intervals.published()) > 50 and min(map(len, intervals.published())) >= intervals.LEAST_DATASETS
    assert {len(pair) for pair in intervals.of_the_reference()} == {30}  # three datasets, ten seeds
