import numpy as np
import pytest
import scipy.stats

from ssd_cli.statistics.effects import effects, rank_biserial
from ssd_cli.statistics.intervals import mean_interval


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


def test_each_pair_has_the_interval_of_its_differences():
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.5, 0.9, (40, 1)) + rng.normal(0, 0.05, (40, 3))
    scores[4, 1] = np.nan
    found = effects(scores)
    for i, j in ((0, 1), (0, 2), (1, 2), (2, 0)):
        difference = scores[:, i] - scores[:, j]
        low, high = mean_interval(difference[:, None])
        assert (found.low[i, j], found.high[i, j]) == pytest.approx((low[0], high[0]), abs=1e-12)
        assert found.mean[i, j] == pytest.approx(np.nanmean(difference), abs=1e-12)


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
    for part in (found.mean, found.rank_biserial):
        assert np.isfinite(np.delete(part.ravel(), [1, 3])).all()
    assert np.isnan([found.low[1, 2], found.high[1, 2]]).all()  # one common dataset
    assert found.mean[0, 2] == pytest.approx(0.1)
