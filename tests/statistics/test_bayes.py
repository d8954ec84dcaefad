import numpy as np
import pytest

from ssd_cli.statistics.bayes import signed_rank

baycomp = pytest.importorskip("baycomp", reason="baycomp is not installed (pip install ssd-bench[bayes])")


@pytest.mark.parametrize(
    ("shift", "rope", "n"),
    [(0.0, 0.01, 30), (0.01, 0.01, 30), (0.005, 0.0, 20), (-0.015, 0.005, 60), (0.0, 0.0, 12), (0.2, 0.01, 8)],
)
def test_it_agrees_with_baycomp_within_three_standard_errors(shift, rope, n):
    rng = np.random.default_rng(n)
    first = rng.uniform(0.5, 0.9, n)
    second = np.round(first + shift + rng.normal(0, 0.02, n), 2)
    samples = 10_000
    ours = signed_rank(second - first, rope, samples, seed=1)
    left, same, right = baycomp.SignedRankTest(first, second, rope, nsamples=samples, random_state=2).probs()
    for mine, theirs in zip(ours, (left, same, right), strict=True):
        p = (mine + theirs) / 2
        assert abs(mine - theirs) <= 3 * np.sqrt(p * (1 - p) * 2 / samples) + 1e-12


def test_swapping_the_methods_swaps_the_probabilities():
    differences = np.random.default_rng(0).normal(0.01, 0.02, 40)
    worse, same, better = signed_rank(differences, 0.01)
    assert signed_rank(-differences, 0.01) == (better, same, worse)
    assert worse + same + better == pytest.approx(1)


def test_a_wide_rope_makes_methods_the_same_and_the_seed_decides():
    differences = np.random.default_rng(0).normal(0.0, 0.02, 40)
    assert signed_rank(differences, 0.5).same == 1.0
    assert signed_rank(differences, 0.0, seed=1) == signed_rank(differences, 0.0, seed=1)


def test_equal_scores_without_a_rope_favour_neither_side():
    assert signed_rank(np.zeros(20), 0.0) == (0.5, 0.0, 0.5)


def test_rounding_does_not_decide_at_the_edge_of_the_rope():
    exactly = np.array([0.0625] * 7 + [0.125] * 3)  # half of all sums are twice the rope, or a rounding error less
    nearly = exactly - 1e-17
    assert nearly[0] < exactly[0]
    assert signed_rank(nearly, 0.0625) == signed_rank(exactly, 0.0625)


def test_without_a_dataset_nothing_is_said():
    assert np.isnan(signed_rank(np.empty(0), 0.01)).all()
