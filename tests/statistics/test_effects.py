import numpy as np
import pytest
import scipy.stats

from ssd_cli.statistics.effects import effects, rank_biserial


@pytest.mark.parametrize("n", [5, 12, 60])
def test_rank_biserial_agrees_with_the_rank_sums_of_scipy(n):
    differences = np.round(np.random.default_rng(n).normal(0.2, 1, n), 1)
    favour = scipy.stats.wilcoxon(differences, zero_method="pratt", alternative="greater", method="asymptotic").statistic
    against = scipy.stats.wilcoxon(-differences, zero_method="pratt", alternative="greater", method="asymptotic").statistic
    assert rank_biserial(differences) == pytest.approx((favour - against) / (favour + against), abs=1e-9)


def test_extremes():
    assert rank_biserial(np.array([0.1, 0.2])) == 1
    assert rank_biserial(np.array([-0.1, -0.2])) == -1
    assert rank_biserial(np.zeros(4)) == 0


def test_the_interval_agrees_with_scipy_within_monte_carlo_error():
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.5, 0.9, (40, 1)) + rng.normal(0, 0.05, (40, 3))
    found = effects(scores)
    difference = scores[:, 0] - scores[:, 2]
    expected = scipy.stats.bootstrap((difference,), np.mean, method="percentile", n_resamples=20_000, rng=1)
    width = expected.confidence_interval.high - expected.confidence_interval.low
    # the standard error of a 2.5 % quantile of 2,000 draws is 0.0151 in units of the inverse density 1/0.0584 of a normal
    three_errors = 3 * np.sqrt(0.025 * 0.975 / 2000) / 0.0584 * (width / 3.92)
    assert found.low[0, 2] == pytest.approx(expected.confidence_interval.low, abs=three_errors)
    assert found.high[0, 2] == pytest.approx(expected.confidence_interval.high, abs=three_errors)
    assert found.mean[0, 2] == pytest.approx(difference.mean(), abs=1e-12)


def test_all_matrices_are_antisymmetric_and_intervals_hold_the_mean():
    scores = np.random.default_rng(0).uniform(0.5, 0.9, (20, 4))
    found = effects(scores)
    assert np.array_equal(found.mean, -found.mean.T)
    assert np.array_equal(found.low, -found.high.T)
    off = ~np.eye(4, dtype=bool)
    assert ((found.low <= found.mean) & (found.mean <= found.high))[off].all()


def test_a_missing_score_counts_for_no_pair_it_is_in():
    scores = np.array([[0.5, 0.6, 0.7], [0.5, np.nan, 0.9], [0.4, 0.6, 0.6]])
    found = effects(scores)
    assert found.mean[0, 1] == pytest.approx(-0.15)
    assert found.mean[0, 2] == pytest.approx(-0.8 / 3)


@pytest.mark.filterwarnings("error")
def test_nothing_is_said_about_two_methods_without_a_common_dataset():
    found = effects(np.array([[0.9, np.nan, 0.8], [np.nan, 0.7, 0.6], [0.5, np.nan, 0.4]]))
    for part in found:
        assert np.isnan([part[0, 1], part[1, 0]]).all()
        assert np.isfinite(np.delete(part.ravel(), [1, 3])).all()
    assert found.mean[0, 2] == pytest.approx(0.1)
