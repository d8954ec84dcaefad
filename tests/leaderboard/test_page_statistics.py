"""The statistics of the page against those of Python, on vectors that Python computes; Node runs the page's scripts."""

import json

import numpy as np
import pytest
from scipy.special import chdtrc, ndtr

from ssd_cli.leaderboard.page.data import payload
from ssd_cli.statistics.cliques import letters, unjoined
from ssd_cli.statistics.friedman import friedman
from ssd_cli.statistics.ranks import contests, rank_scores
from ssd_cli.statistics.rounding import comparable
from ssd_cli.statistics.tests import judge
from tests.leaderboard.builders import fill
from tests.leaderboard.node import evaluate, requires_node

pytestmark = requires_node

CASES = [(4, 3, 3), (6, 3, 6), (12, 5, 1), (40, 7, 0), (50, 7, 6), (51, 7, 6), (70, 7, 0), (128, 7, 2), (220, 4, 2)]


def vectors():
    """Scores with ties and zeros, in the order of the average ranks: (number of datasets, number of methods, decimals)."""
    found = []
    for n, m, decimals in CASES:
        scores = np.round(np.random.default_rng(n).normal(0, 1, (n, m)) + np.linspace(0, 0.8, m), decimals)
        scores[:, -1] = scores[:, 0]
        if m > 4:
            scores[:, 4] = scores[:, 3] + 1
        found.append(scores[:, np.argsort(rank_scores(scores).mean(axis=0), kind="stable")])
    return found


@pytest.fixture(scope="module")
def computed():
    """For each vector: what the page computes."""
    one = (
        "((s, n) => { const t = comparePairs(s, n, 0.05), runs = cliques(t.different); return { ranks: rankScores(s), "
        "contests: contests(s, n), tests: t, friedman: friedman(rankScores(s), n), cliques: runs, letters: letters(runs, n), "
        "unjoined: unjoined(t.different, runs) }; })"
    )
    return evaluate(f"{json.dumps([scores.tolist() for scores in vectors()])}.map((s) => {one}(s, s[0].length))")


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_page_computes_what_python_computes(computed, case):
    scores, page = vectors()[case], computed[case]
    verdicts, counts = judge(scores), contests(scores)
    tests, groups = verdicts.tests, verdicts.groups
    assert page["ranks"] == rank_scores(scores).tolist()
    assert [page["contests"][kind] for kind in ("wins", "ties", "losses")] == [part.tolist() for part in counts]
    np.testing.assert_allclose(page["tests"]["p"], tests.p, rtol=1e-9)
    np.testing.assert_allclose(page["tests"]["adjusted"], tests.adjusted, rtol=1e-9)
    assert page["tests"]["different"] == tests.different.tolist()
    assert page["tests"]["nExact"] == np.triu(tests.exact, k=1).sum()
    assert (page["tests"]["needed"], page["tests"]["enough"]) == (tests.needed, tests.enough)
    expected = friedman(scores)
    assert [page["friedman"][key] for key in ("statistic", "p")] == pytest.approx([expected.statistic, expected.p], rel=1e-9)
    assert list(map(tuple, page["cliques"])) == groups
    assert page["letters"] == letters(groups, scores.shape[1])
    assert list(map(tuple, page["unjoined"])) == unjoined(tests.different, groups)


def test_rounded_accuracies_are_compared_as_in_python():
    rng = np.random.default_rng(5)
    n_test, decimals = np.array([0, 20, 150, 391, 8236] * 4), np.array([12, 2, 3, 4, 6, 8])
    counts = rng.integers(0, 1 + np.where(n_test, n_test, 50)[:, None], (20, 6))
    scores = np.round(counts / np.where(n_test, n_test, 50)[:, None] - np.where(rng.random((20, 6)) < 0.3, 0.0013, 0), 8)
    scores = np.array([[round(value, int(places)) for value, places in zip(row, decimals, strict=True)] for row in scores])
    page = evaluate(f"comparable({json.dumps(scores.tolist())}, {decimals.tolist()}, {n_test.tolist()})")
    np.testing.assert_allclose(page, comparable(scores, decimals, n_test), rtol=0, atol=1e-15)
    assert not np.array_equal(page, scores)


def test_the_tails_of_the_distributions_are_those_of_scipy():
    values, degrees = [1e-6, 0.3, 1, 4, 11.07, 60, 400], [1, 2, 3, 6, 19]
    found = evaluate(f"{degrees}.map((degrees) => {values}.map((x) => chiSquaredAbove(x, degrees)))")
    np.testing.assert_allclose(found, [chdtrc(one, values) for one in degrees], rtol=1e-10)
    z = [-30.0, -8, -3, -1.9, -0.1, 0, 0.7, 2.5, 6]
    np.testing.assert_allclose(evaluate(f"{z}.map(normalBelow)"), ndtr(z), rtol=1e-9)


def test_a_pair_of_equal_methods_and_two_methods_alone(computed):
    assert evaluate("comparePairs([[1, 1], [2, 2]], 2, 0.05).p") == [[1, 1], [1, 1]]
    assert evaluate("friedman(rankScores([[1, 2], [2, 1]]), 2)") is None


SIGN = '''
"""The sign test."""

import numpy as np
from scipy.special import bdtr

from ssd_cli.statistics.cliques import cliques
from ssd_cli.statistics.pairs import PairwiseTests, Verdicts, symmetric


def judge(scores, alpha):
    n, m = scores.shape
    losses = [(scores[:, i] < scores[:, j]).sum() for i, j in zip(*np.triu_indices(m, k=1))]
    p = symmetric(np.minimum(1, [2 * bdtr(loss, n, 0.5) for loss in losses]), m)
    different = (p <= alpha) & ~np.eye(m, dtype=bool)
    return Verdicts(PairwiseTests(p, p, different), cliques(different), f"Sign test, alpha {alpha:g}.")
'''


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A folder of results, and a statistical test that is one new file."""
    from ssd_cli.statistics import tests

    (tmp_path / "sign.py").write_text(SIGN)
    monkeypatch.setattr(tests, "__path__", [*tests.__path__, str(tmp_path)])
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    fill(tmp_path / "cells", {"a": [0.9] * 9, "b": [0.5] * 9, "c": [0.6 - 0.02 * i for i in range(9)]})
    return tmp_path / "cells"


def test_a_statistical_test_is_one_new_file_and_the_command_and_its_caption_show_it(planted, capsys):
    from ssd_cli.cli import compare as command

    command.compare([planted], test="sign")
    shown = capsys.readouterr().out
    assert "Sign test, alpha 0.05." in shown
    assert ",sign," in (planted / "leaderboard" / "pairwise.csv").read_text()
    assert "Sign test, alpha 0.05." in (planted / "leaderboard" / "leaderboard.md").read_text()


def test_a_statistical_test_that_is_one_new_file_is_on_the_page(planted):
    block = payload([planted])
    names = "otherTests(data, comparison).map((one) => one.name)"
    assert evaluate(names, block) == ["aeon", "cd-diagram", "nemenyi", "sign"]
    sign = "otherTests(data, comparison).find((one) => one.name === 'sign')"
    place = "comparison.names.indexOf('a'), comparison.names.indexOf('b')"
    assert evaluate(f"[{sign}.sentence, {sign}.of({place})]", block) == [
        "Sign test, alpha 0.05.",
        {"p": pytest.approx(2 * 0.5**9, rel=1e-5), "different": True},
    ]
    assert evaluate(f"(() => {{ chosen.query = 'D01'; recompute(); return {names}; }})()", block) == []
