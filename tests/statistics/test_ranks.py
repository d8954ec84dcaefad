import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from ssd_cli.statistics.ranks import contests, front, rank_scores

# few distinct values, so that ties are common
tables = st.tuples(st.integers(1, 12), st.integers(2, 7)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.1, 0.2, 0.5, 0.75, 0.9]))
)


@given(tables)
def test_ranks_are_those_of_scipy(scores):
    assert np.array_equal(rank_scores(scores), rankdata(-scores, axis=1))


def test_rounding_errors_of_a_mean_are_ties():
    first, second = (0.1 + 0.2 + 0.3) / 3, (0.3 + 0.2 + 0.1) / 3
    assert first != second
    assert rank_scores(np.array([[first, second, 0.9]])).tolist() == [[2.5, 2.5, 1.0]]


def test_contests_count_every_dataset_once():
    scores = np.array([[0.9, 0.8, 0.8], [0.5, 0.5, 0.6], [0.1, 0.2, 0.3]])
    wins, ties, losses = contests(scores)
    assert wins.tolist() == [[0, 1, 1], [1, 0, 0], [2, 2, 0]]
    assert ties.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert np.array_equal(losses, wins.T)


@given(tables, st.randoms())
@settings(max_examples=50)
def test_permuting_methods_and_datasets_permutes_and_nothing_else(scores, random):
    rows, columns = list(range(scores.shape[0])), list(range(scores.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = scores[rows][:, columns]
    assert np.array_equal(rank_scores(shuffled), rank_scores(scores)[rows][:, columns])
    assert np.array_equal(contests(shuffled).wins, contests(scores).wins[columns][:, columns])


@given(tables)
@settings(max_examples=50)
def test_ranks_of_a_dataset_always_have_the_same_sum(scores):
    k = scores.shape[1]
    assert rank_scores(scores).sum(axis=1) == pytest.approx(k * (k + 1) / 2)


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(points)
def test_the_pareto_front_is_that_of_its_definition(pairs):
    scores, costs = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    expected = [
        not any((s >= scores[i] and c <= costs[i]) and (s > scores[i] or c < costs[i]) for s, c in zip(scores, costs, strict=True))
        for i in range(len(scores))
    ]
    assert front(scores, costs).tolist() == expected


def test_a_method_of_unknown_cost_is_not_on_the_front_and_excludes_no_other():
    assert front(np.array([0.9, 0.8]), np.array([np.nan, 5.0])).tolist() == [False, True]
