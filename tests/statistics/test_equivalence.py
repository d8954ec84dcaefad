import numpy as np
import pytest
import scipy.stats

from ssd_cli.statistics.wilcoxon import equivalence


def one_sided(differences, alternative):
    n = len(differences)
    method = "exact" if n <= 200 and len(set(np.abs(differences).round(12))) == n else "asymptotic"
    return scipy.stats.wilcoxon(differences, zero_method="pratt", correction=False, alternative=alternative, method=method).pvalue


@pytest.mark.parametrize("n", [6, 20, 40, 80])
@pytest.mark.parametrize("mean", [-0.002, 0.0, 0.003])
def test_both_one_sided_tests_agree_with_scipy(n, mean):
    differences = np.random.default_rng(n).normal(mean, 0.004, n)
    found = equivalence(differences, 0.005)
    for p, expected in (
        (found.above, one_sided(differences + 0.005, "greater")),
        (found.below, one_sided(differences - 0.005, "less")),
    ):
        assert p == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert found.p == max(found.above, found.below)


def test_the_tail_is_exact_above_a_half_too():
    found = equivalence(np.array([0.01, 0.02, 0.03]), 0.005)  # below: 0.005 - 0.01 and so on, all three below 0
    assert (found.below, found.p, found.above) == (1.0, 1.0, 1 / 8)


def test_small_differences_are_equivalent_and_large_ones_are_not():
    differences = np.random.default_rng(0).normal(0, 0.001, 30)
    assert equivalence(differences, 0.005).p < 1e-6
    assert equivalence(differences + 0.02, 0.005).p > 0.999
    assert equivalence(differences - 0.02, 0.005).above > 0.999


def test_equal_methods_are_equivalent_as_soon_as_there_are_enough_datasets():
    assert equivalence(np.zeros(20), 0.005).p < 0.001
    assert equivalence(np.zeros(2), 0.005).p > 0.05


def test_noise_is_not_equivalence():
    assert equivalence(np.random.default_rng(0).normal(0, 0.05, 10), 0.005).p > 0.2


def test_the_margin_must_be_positive():
    with pytest.raises(ValueError, match="margin"):
        equivalence(np.zeros(3), 0.0)


def test_the_level_holds_at_the_border():
    rng = np.random.default_rng(1)
    rejected = [equivalence(rng.normal(0.005, 0.004, 20), 0.005).p <= 0.05 for _ in range(400)]
    assert np.mean(rejected) <= 0.08  # 5 %, standard error 1.1 %
