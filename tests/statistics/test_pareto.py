import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssd_cli.statistics.pareto import front

values = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(values)
def test_it_is_the_definition(pairs):
    scores, costs = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    expected = [
        not any((s >= scores[i] and c <= costs[i]) and (s > scores[i] or c < costs[i]) for s, c in zip(scores, costs, strict=True))
        for i in range(len(scores))
    ]
    assert front(scores, costs).tolist() == expected


def test_an_unknown_cost_is_on_no_front_and_keeps_nobody_off():
    assert front(np.array([0.9, 0.8]), np.array([np.nan, 5.0])).tolist() == [False, True]
