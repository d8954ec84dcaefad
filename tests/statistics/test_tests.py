import itertools
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from ssd_cli.statistics.friedman import friedman
from ssd_cli.statistics.pairs import datasets_needed, holm
from ssd_cli.statistics.tests import judge
from ssd_cli.statistics.wilcoxon import wilcoxon

# differences that floats hold exactly, so that both implementations see the same ties
steps = st.integers(-8, 8).map(lambda number: number / 16)


def random_scores(n_datasets, n_methods, seed=0, digits=3):
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(0.5, 0.9, (n_datasets, 1)) + rng.normal(0, 0.05, (n_datasets, n_methods)), digits)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 20, 49, 50])
def test_exact_wilcoxon_agrees_with_scipy(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    result = wilcoxon(differences)
    expected = scipy.stats.wilcoxon(differences, zero_method="pratt", correction=False, method="exact")
    assert result.exact
    assert result.statistic == expected.statistic
    assert result.p == pytest.approx(expected.pvalue, abs=1e-12, rel=1e-9)


def counted_out(differences):
    """The exact two-sided p-value in whole numbers: scipy's ranks, doubled, and the number of sign patterns for every rank sum."""
    doubled = (2 * scipy.stats.rankdata(np.abs(differences))).astype(int)
    counted = doubled[differences != 0].tolist()
    patterns = {0: 1}
    for rank in counted:
        longer = dict(patterns)
        for total, n in patterns.items():
            longer[total + rank] = longer.get(total + rank, 0) + n
        patterns = longer
    least = min(doubled[differences > 0].sum(), doubled[differences < 0].sum())
    return min(1.0, float(Fraction(2 * sum(n for total, n in patterns.items() if total <= least), 2 ** len(counted))))


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_128_datasets_are_counted_out(decimals, shift):
    """As large as the archive of 2018; with one decimal most differences are tied and some are zero."""
    differences = np.round(np.random.default_rng(decimals).normal(shift, 1, 128), decimals)
    result = wilcoxon(differences)
    assert result.exact
    assert result.p == pytest.approx(counted_out(differences), rel=1e-11)


@pytest.mark.parametrize("n", [51, 128, 200])
def test_up_to_the_size_of_an_archive_the_distribution_is_that_of_scipy(n):
    differences = np.random.default_rng(n).normal(0.2, 1, n)
    result = wilcoxon(differences)
    assert result.exact
    assert result.p == pytest.approx(scipy.stats.wilcoxon(differences, method="exact").pvalue, rel=1e-9)


@pytest.mark.parametrize("n", [201, 400])
def test_many_datasets_use_the_normal_distribution_as_scipy_does(n):
    differences = np.random.default_rng(n).normal(0.1, 1, n)
    result = wilcoxon(differences)
    expected = scipy.stats.wilcoxon(differences, zero_method="pratt", correction=False, method="asymptotic")
    assert not result.exact
    assert result.p == pytest.approx(expected.pvalue, abs=1e-12, rel=1e-9)


@given(arrays(np.float64, st.integers(1, 12), elements=steps))
@settings(max_examples=100, deadline=None)
def test_with_zeros_and_ties_all_signs_are_counted_out(differences):
    """By enumeration: all 2^n signs of the differences, the ranks of scipy; zeros have a rank and no sign."""
    ranks = scipy.stats.rankdata(np.abs(differences))
    signs = np.array(list(itertools.product([0, 1], repeat=len(differences))))
    of_positive = signs @ np.where(differences != 0, ranks, 0)
    smaller = min(ranks[differences > 0].sum(), ranks[differences < 0].sum())
    result = wilcoxon(differences)
    assert result.exact
    assert result.statistic == smaller
    assert result.p == pytest.approx(min(1, 2 * np.mean(of_positive <= smaller)), abs=1e-15, rel=1e-12)


@given(arrays(np.float64, st.integers(4, 9), elements=steps).filter(lambda d: d.any()))
@settings(max_examples=20, deadline=None)
def test_with_zeros_and_ties_scipys_permutations_agree(differences):
    every = scipy.stats.PermutationMethod(n_resamples=np.inf)
    expected = scipy.stats.wilcoxon(differences, zero_method="pratt", correction=False, method=every).pvalue
    assert wilcoxon(differences).p == pytest.approx(expected, abs=1e-15, rel=1e-12)


@pytest.mark.parametrize("n_zero", [0, 7, 60])
def test_many_differences_with_zeros_and_ties_use_the_normal_distribution_as_scipy_does(n_zero):
    differences = np.random.default_rng(n_zero).choice([-3, -2, -1, 1, 2, 3, 4], 220) / 16
    differences = np.concatenate([differences, np.zeros(n_zero)])
    result = wilcoxon(differences)
    expected = scipy.stats.wilcoxon(differences, zero_method="pratt", correction=False, method="asymptotic")
    assert not result.exact
    assert result.statistic == expected.statistic
    assert result.p == pytest.approx(expected.pvalue, abs=1e-12, rel=1e-9)


@pytest.mark.parametrize("n_datasets", [40, 112])
@pytest.mark.parametrize(("n_different", "verdict"), [(4, False), (5, False), (6, True)])
def test_datasets_without_a_difference_make_no_verdict_possible(n_datasets, n_different, verdict):
    """The normal approximation finds p = .046 with 4 differences of 40, all one way; no test of 4 signs can be below .125."""
    scores = np.full((n_datasets, 2), 0.8)
    scores[:n_different, 0] += 0.01 * np.arange(1, n_different + 1)
    found = judge(scores).tests
    assert found.p[0, 1] == pytest.approx(2.0 ** (1 - n_different), rel=1e-12)
    assert found.exact[0, 1]
    assert found.different[0, 1] == verdict


def test_pratt_is_not_the_rule_that_drops_zeros_first():
    differences = np.array([0, 0, 0, 1, 2, 3, -4, 5, 6, 7.0])
    dropped = scipy.stats.wilcoxon(differences[3:], method="exact").pvalue
    assert wilcoxon(differences).p != pytest.approx(dropped, rel=1e-3)


def test_equal_methods_have_p_of_one():
    assert wilcoxon(np.zeros(30)).p == 1.0
    assert wilcoxon(np.full(30, 1e-16)).p == 1.0


@pytest.mark.parametrize(("n_datasets", "n_methods", "digits"), [(10, 3, 6), (112, 20, 2), (4, 6, 1), (30, 5, 1)])
def test_friedman_agrees_with_scipy(n_datasets, n_methods, digits):
    scores = random_scores(n_datasets, n_methods, digits=digits)
    result = friedman(scores)
    expected = scipy.stats.friedmanchisquare(*scores.T)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.degrees == n_methods - 1


def test_friedman_needs_three_methods_and_two_datasets():
    assert friedman(random_scores(10, 2)) is None
    assert friedman(random_scores(1, 5)) is None
    assert friedman(np.full((10, 4), 0.5)).p == 1.0


p_values = arrays(np.float64, st.integers(1, 40), elements=st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.04])))


@given(p_values)
@settings(max_examples=30, deadline=None)
def test_holm_agrees_with_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15, rel=1e-12)


@given(p_values)
def test_holm_never_rejects_more_than_no_correction_and_never_less_than_bonferroni(p):
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) * (1 + 1e-12)).all()


def test_pairs_are_tested_one_by_one_and_corrected_together():
    scores = random_scores(30, 5, seed=3, digits=8) + np.array([0, 0, 0.02, 0.05, 0.05])
    found = judge(scores).tests
    pairs = list(itertools.combinations(range(5), 2))
    expected = [scipy.stats.wilcoxon(scores[:, i], scores[:, j], zero_method="pratt", method="exact").pvalue for i, j in pairs]
    rejected, adjusted, *_ = multipletests(expected, alpha=0.05, method="holm")
    for (i, j), p, q, verdict in zip(pairs, expected, adjusted, rejected, strict=True):
        assert found.p[i, j] == found.p[j, i] == pytest.approx(p, rel=1e-9)
        assert found.adjusted[i, j] == found.adjusted[j, i] == pytest.approx(q, rel=1e-9)
        assert found.different[i, j] == found.different[j, i] == verdict
    assert 0 < rejected.sum() < len(pairs)
    assert found.n_pairs == 10


@pytest.mark.parametrize("seed", range(5))
def test_permuting_methods_and_datasets_changes_no_verdict(seed):
    scores = random_scores(40, 6, seed=seed, digits=2) + np.linspace(0, 0.08, 6)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(40), rng.permutation(6)
    found, shuffled = judge(scores).tests, judge(scores[rows][:, columns]).tests
    assert shuffled.p == pytest.approx(found.p[columns][:, columns], rel=1e-12)
    assert np.array_equal(shuffled.different, found.different[columns][:, columns])
    assert friedman(scores[rows][:, columns]).p == pytest.approx(friedman(scores).p, rel=1e-12)


def test_a_copy_of_a_method_never_differs_from_it():
    scores = random_scores(60, 4) + np.array([0, 0.05, 0.1, 0.2])
    found = judge(np.column_stack([scores, scores[:, 2]])).tests
    assert found.p[2, 4] == 1.0
    assert not found.different[2, 4]
    assert found.p[:, 4] == pytest.approx(found.p[:, 2])


@pytest.mark.parametrize(
    ("n_pairs", "alpha", "needed"), [(1, 0.05, 6), (10, 0.05, 9), (190, 0.05, 13), (1, 0.1, 5), (1, 0.0625, 5)]
)
def test_how_many_datasets_a_verdict_takes(n_pairs, alpha, needed):
    assert datasets_needed(n_pairs, alpha) == needed
    assert n_pairs * 2.0 ** (1 - needed) <= alpha < n_pairs * 2.0 ** (2 - needed)


@pytest.mark.parametrize("digits", [1, 8])
def test_five_datasets_prove_nothing_with_ties_or_without(digits):
    scores = np.column_stack([np.full(5, 0.9), np.full(5, 0.1)]) + np.round(np.arange(5)[:, None] * [0, 0.001], digits)
    found = judge(scores).tests
    assert found.p[0, 1] == pytest.approx(0.0625, rel=1e-12)
    assert not found.different.any()
    assert not found.enough
    assert found.needed == 6


def test_six_datasets_can_tell_two_methods_apart():
    scores = np.column_stack([np.full(6, 0.9), 0.1 + np.arange(6) / 100])
    assert judge(scores).tests.different[0, 1]
