import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd_cli.statistics.cliques import cliques, letters, unjoined


def table(n_methods, *pairs):
    different = np.zeros((n_methods, n_methods), dtype=bool)
    for i, j in pairs:
        different[i, j] = different[j, i] = True
    return different


@pytest.mark.parametrize(
    ("n_methods", "pairs", "runs", "names"),
    [
        (1, [], [(0, 0)], ["a"]),
        (3, [], [(0, 2)], ["a", "a", "a"]),
        (2, [(0, 1)], [(0, 0), (1, 1)], ["a", "b"]),
        (3, [(0, 2)], [(0, 1), (1, 2)], ["a", "ab", "b"]),
        (4, [(0, 2), (0, 3), (1, 3)], [(0, 1), (1, 2), (2, 3)], ["a", "ab", "bc", "c"]),
        # the middle one differs from both its neighbours, which do not differ from each other
        (3, [(0, 1), (1, 2)], [(0, 0), (1, 1), (2, 2)], ["a", "b", "c"]),
    ],
)
def test_runs_and_letters(n_methods, pairs, runs, names):
    assert cliques(table(n_methods, *pairs)) == runs
    assert letters(runs, n_methods) == names


def test_a_pair_kept_apart_by_a_method_between_is_named():
    different = table(3, (0, 1), (1, 2))
    assert unjoined(different, cliques(different)) == [(0, 2)]


tables = st.integers(1, 9).flatmap(
    lambda n: st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])).map(
        lambda pairs: table(n, *pairs)
    )
)


@given(tables)
def test_no_run_holds_a_significant_pair_and_none_could_be_longer(different):
    runs = cliques(different)
    for first, last in runs:
        assert not different[first : last + 1, first : last + 1].any()
        assert first == 0 or different[first - 1, first - 1 : last + 1].any()
        assert last == len(different) - 1 or different[last + 1, first : last + 2].any()


@given(tables)
def test_letters_unjoined_pairs_and_differences_are_all_pairs(different):
    runs = cliques(different)
    names = letters(runs, len(different))
    apart = set(unjoined(different, runs))
    for i in range(len(different)):
        for j in range(i + 1, len(different)):
            shared = bool(set(names[i]) & set(names[j]))
            assert shared + different[i, j] + ((i, j) in apart) == 1


def test_letters_go_on_after_z():
    names = letters([(i, i) for i in range(28)], 28)
    assert names[25:] == ["z", "aa", "ab"]
