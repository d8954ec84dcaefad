from fractions import Fraction

import numpy as np
import pytest

from ssd_cli.statistics.ranks import contests, rank_scores
from ssd_cli.statistics.rounding import EXACT, comparable


def compared(rows, decimals, n_test):
    return comparable(np.array(rows, dtype=float), np.array(decimals), np.array(n_test))


@pytest.mark.parametrize(
    ("exact", "rounded", "decimals", "n_test"),
    [
        (149 / 150, 0.993333, 6, 150),
        (2 / 3, 0.6667, 4, 30),
        (2 / 3, 0.66, 2, 30),
        (337 / 391, 0.862, 3, 391),
        (7 / 9, 0.77777777, 8, 900),
    ],
)
def test_the_count_of_correct_cases_decides_whether_a_publisher_rounds_or_cuts(exact, rounded, decimals, n_test):
    (row,) = compared([[exact, rounded]], [EXACT, decimals], [n_test])
    assert row.tolist() == pytest.approx([exact, exact], abs=1e-15)
    assert rank_scores(row[None]).tolist() == [[1.5, 1.5]]


@pytest.mark.parametrize(("n_test", "better", "worse"), [(150, 149, 148), (391, 330, 329), (8236, 8000, 7999)])
def test_one_case_more_is_no_tie(n_test, better, worse):
    (row,) = compared([[better / n_test, round(worse / n_test, 6)]], [EXACT, 6], [n_test])
    assert rank_scores(row[None]).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("row", "decimals"),
    [
        ([0.9933333333333333, 0.993333], [16, 6]),
        ([0.8571428571428571, 0.8571, 0.857143], [16, 4, 6]),
        ([0.123456, 0.12345600001, 0.123], [6, 11, 3]),
    ],
)
def test_without_the_number_of_cases_the_fewest_decimals_decide(row, decimals):
    assert np.ptp(compared([row], decimals, [0])) < 1e-12


def test_a_mean_of_several_runs_is_no_count_of_cases():
    """744 of 750 in five runs on 150 cases are 148.8 of 150: neither 148 nor 149."""
    (row,) = compared([[149 / 150, round(744 / 750, 6)]], [EXACT, 6], [150])
    assert rank_scores(row[None]).tolist() == [[1, 2]]
    (row,) = compared([[744 / 750, round(744 / 750, 6)]], [EXACT, 6], [150])
    assert rank_scores(row[None]).tolist() == [[1.5, 1.5]]


@pytest.mark.parametrize(
    ("score", "rounded", "decimals", "n_test"), [(0.9312, 0.93, 2, 8236), (0.7504, 0.75, 2, 391), (0.5, 0.5, 1, 20)]
)
def test_with_more_cases_than_the_decimals_tell_apart_the_fewest_decimals_decide(score, rounded, decimals, n_test):
    (row,) = compared([[score, rounded]], [EXACT, decimals], [n_test])
    assert rank_scores(row[None]).tolist() == [[1.5, 1.5]]


def test_only_the_dataset_with_the_rounded_number_is_rounded():
    scores = [[0.12345678, 0.1234], [0.12345678, np.nan]]
    found = compared(scores, [EXACT, 4], [0, 0])
    assert found[0].tolist() == pytest.approx([0.1235, 0.1234], abs=1e-12)
    assert found[1, 0] == 0.12345678 and np.isnan(found[1, 1])


def test_exact_scores_stay_as_they_are():
    scores = np.random.default_rng(0).random((30, 5))
    assert np.array_equal(compared(scores, [EXACT, 16, 17, 15, EXACT], np.full(30, 100)), scores)


@pytest.mark.parametrize("seed", range(3))
def test_wins_ties_and_losses_of_rounded_tables_are_those_of_the_fractions(seed):
    """By fractions: single runs on known numbers of cases, published with 6 and with 4 decimals."""
    rng = np.random.default_rng(seed)
    n_test = rng.choice([20, 28, 60, 105, 139, 150, 291, 391, 1000], 60)
    counts = np.minimum(n_test[:, None], np.round(n_test[:, None] * rng.choice([0.8, 0.9, 0.95], (60, 3)))).astype(int)
    fractions = [[Fraction(int(count), int(n)) for count in row] for row, n in zip(counts, n_test, strict=True)]
    scores = [[float(row[0]), round(float(row[1]), 6), round(float(row[2]), 4)] for row in fractions]
    found = contests(compared(scores, [EXACT, 6, 4], n_test))
    for i in range(3):
        for j in range(3):
            if i != j:
                assert found.wins[i, j] == sum(row[i] > row[j] for row in fractions)
                assert found.ties[i, j] == sum(row[i] == row[j] for row in fractions)
    plain = contests(np.array(scores))
    assert plain.ties.sum() < found.ties.sum()
