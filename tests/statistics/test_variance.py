import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.regression.mixed_linear_model import MixedLM

from ssd_cli.statistics.variance import detectable, noise, split


def simulated(n_datasets, n_resamples, n_seeds, spreads=(0.1, 0.03, 0.02), n_methods=1, seed=0):
    rng = np.random.default_rng(seed)
    datasets = rng.normal(0.8, spreads[0], (n_datasets, 1, 1, 1))
    resamples = rng.normal(0, spreads[1], (n_datasets, n_methods, n_resamples, 1))
    return datasets + resamples + rng.normal(0, spreads[2], (n_datasets, n_methods, n_resamples, n_seeds))


def test_the_split_agrees_with_restricted_maximum_likelihood():
    results = simulated(25, 4, 3)[:, 0]
    found = split(results)
    d, r, _ = np.indices(results.shape)
    frame = pd.DataFrame({"y": results.ravel() * 10, "d": d.ravel(), "r": r.ravel()})  # in tenths: better conditioned
    model = MixedLM.from_formula("y ~ 1", frame, groups="d", re_formula="1", vc_formula={"r": "0 + C(r)"})
    fitted = model.fit(reml=True, method=["lbfgs"])
    assert found.datasets * 100 == pytest.approx(fitted.cov_re.iloc[0, 0], rel=2e-3)
    assert found.resamples * 100 == pytest.approx(fitted.vcomp[0], rel=2e-3)
    assert found.seeds * 100 == pytest.approx(fitted.scale, rel=2e-3)


def test_the_split_agrees_with_mean_squares_by_hand():
    results = simulated(6, 3, 2)[:, 0]
    seeds = np.mean([np.var(results[d, r], ddof=1) for d in range(6) for r in range(3)])
    ms_resamples = np.mean([2 * np.var(results[d].mean(axis=1), ddof=1) for d in range(6)])
    ms_datasets = 6 * np.var([results[d].mean() for d in range(6)], ddof=1)
    expected = [(ms_datasets - ms_resamples) / 6, (ms_resamples - seeds) / 2, seeds]
    assert np.allclose(split(results), np.maximum(expected, 0), rtol=1e-9, atol=0)


def test_what_one_value_cannot_tell_is_unknown():
    assert np.isnan(split(simulated(5, 3, 1)[:, 0])).tolist() == [False, False, True]
    assert np.isnan(split(simulated(5, 1, 3)[:, 0])).tolist() == [False, True, False]
    assert np.isnan(split(simulated(1, 1, 1)[:, 0])).all()
    found = noise(simulated(5, 3, 1, n_methods=2), np.ones((5, 2)), 0.05, 1)
    assert not found.seeds_known
    assert not found.within.any()


def test_seed_noise_holds_the_gap_of_equal_methods_in_95_of_100_studies():
    """Two methods that differ by their seeds alone; the share of studies that say so is binomial."""
    inside = 0
    for study in range(400):
        rng = np.random.default_rng([1, study])
        results = rng.uniform(0.6, 0.9, (6, 1, 1, 1)) + rng.normal(0, 0.02, (6, 2, 2, 3))
        inside += noise(results, np.ones((6, 2)), 0.05, 1).within[0, 1]
    assert abs(inside / 400 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)


def test_a_real_gap_is_not_seed_noise_and_shared_networks_cancel():
    results = simulated(10, 2, 3, n_methods=2)
    results[:, 1] = results[:, 0] - 0.005
    found = noise(results, np.ones((10, 2)), 0.05, 1)
    assert found.seed_noise[0, 1] == pytest.approx(0, abs=1e-9)
    assert not found.within[0, 1]


def test_the_detectable_difference_has_the_documented_formula():
    values = np.random.default_rng(0).normal(0.8, 0.05, (30, 3))
    spread = np.median([np.std(values[:, i] - values[:, j], ddof=1) for i, j in ((0, 1), (0, 2), (1, 2))])
    quantiles = scipy.stats.t.ppf([1 - 0.01 / 2, 0.8], 29).sum()
    assert detectable(values, 0.01) == pytest.approx(quantiles * spread / np.sqrt(30) * np.sqrt(np.pi / 3), rel=1e-9)


def test_the_detectable_difference_is_detected_about_as_often_as_it_says():
    from ssd_cli.statistics.wilcoxon import wilcoxon

    n, spread, hits, studies = 30, 0.03, 0, 400
    rng = np.random.default_rng(0)
    template = np.stack([np.zeros(n), rng.permutation(np.repeat([-1, 1], n // 2)) * spread * np.sqrt((n - 1) / n)], axis=1)
    size = detectable(template, 0.05)
    for _ in range(studies):
        hits += wilcoxon(rng.normal(size, spread, n)).p <= 0.05
    assert hits / studies == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / studies) + 0.02)


@pytest.mark.parametrize(("n", "alpha"), [(6, 0.05), (8, 0.01), (11, 0.05 / 45)])
def test_with_just_enough_datasets_all_differences_have_one_sign_as_often_as_it_says(n, alpha):
    from ssd_cli.statistics.wilcoxon import wilcoxon

    rng, studies = np.random.default_rng(1), 400
    values = np.stack([np.zeros(n), rng.normal(0, 0.03, n)], axis=1)
    spread = values[:, 1].std(ddof=1)
    size = detectable(values, alpha)
    hits = sum(wilcoxon(rng.normal(size, spread, n)).p <= alpha for _ in range(studies))
    assert hits / studies == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / studies))


@pytest.mark.parametrize(("n", "alpha"), [(5, 0.05), (7, 0.01), (11, 0.05 / 91)])
def test_where_nothing_can_be_significant_nothing_is_detectable(n, alpha):
    assert np.isnan(detectable(np.random.default_rng(0).normal(0, 0.03, (n, 2)), alpha))
