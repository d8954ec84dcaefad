import networkx
import numpy as np
import pytest
import scikit_posthocs
import scipy.stats

from ssd_cli.errors import MisuseError
from ssd_cli.statistics.friedman import friedman
from ssd_cli.statistics.ranks import rank_scores
from ssd_cli.statistics.tests import judge
from ssd_cli.statistics.tests.cd_diagram import maximal_cliques
from ssd_cli.statistics.tests.nemenyi import critical_difference


def ordered(n_datasets, n_methods, step, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.5, 0.8, (n_datasets, 1)) + rng.normal(0, 0.03, (n_datasets, n_methods)) - step * np.arange(n_methods)
    return scores[:, np.argsort(rank_scores(scores).mean(axis=0), kind="stable")]


@pytest.mark.parametrize(("n_datasets", "n_methods"), [(10, 3), (30, 6), (112, 20)])
def test_iman_davenport_agrees_with_the_definition_on_scipys_friedman(n_datasets, n_methods):
    scores = ordered(n_datasets, n_methods, 0.004)
    chi = scipy.stats.friedmanchisquare(*scores.T).statistic
    f = (n_datasets - 1) * chi / (n_datasets * (n_methods - 1) - chi)
    found = friedman(scores)
    assert found.f == pytest.approx(f, rel=1e-9)
    assert found.f_p == pytest.approx(scipy.stats.f.sf(f, n_methods - 1, (n_methods - 1) * (n_datasets - 1)), rel=1e-9, abs=1e-15)


def test_iman_davenport_where_the_order_never_changes():
    found = friedman(np.array([[3.0, 2.0, 1.0]] * 5))
    assert found.f == np.inf and found.f_p == 0.0


@pytest.mark.parametrize(("n_datasets", "n_methods", "step"), [(12, 3, 0.01), (30, 6, 0.01), (20, 10, 0.0)])
def test_nemenyi_agrees_with_scikit_posthocs(n_datasets, n_methods, step):
    scores = ordered(n_datasets, n_methods, step)
    expected = scikit_posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    assert np.allclose(judge(scores, "nemenyi").tests.p, expected, rtol=1e-9, atol=1e-9)


def test_the_critical_difference_is_that_of_the_tables():
    assert critical_difference(10, 5) == pytest.approx(2.728 * np.sqrt(5 * 6 / 60), abs=2e-3)  # Demšar 2006, table 5


@pytest.mark.parametrize("seed", range(12))
def test_aeon_is_reproduced(seed):
    from aeon.visualisation.results._critical_difference import _find_cliques

    n_methods = 3 + seed
    scores = ordered(20 + 4 * seed, n_methods, [0.0, 0.003, 0.006, 0.02][seed % 4], seed)
    if seed % 3 == 0:
        scores = np.round(scores, 2)
    scores = scores[:, np.argsort(rank_scores(scores).mean(axis=0), kind="stable")]
    ranks = rank_scores(scores)
    names = np.array([f"m{i}" for i in range(n_methods)])
    masks, _ = _find_cliques(ranks, scores, names, ranks.mean(axis=0), len(scores), n_methods, "wilcoxon", "holm", 0.1, False)
    expected = [(int(np.flatnonzero(mask)[0]), int(np.flatnonzero(mask)[-1])) for mask in np.atleast_2d(masks)]
    assert judge(scores, "aeon", 0.1).groups == expected


@pytest.mark.parametrize("seed", range(8))
def test_cd_diagram_is_reproduced(seed):
    """Its published procedure, written down again with scipy, statsmodels' order of steps and networkx."""
    scores, alpha = ordered(40, 8, 0.006, seed), 0.05
    if seed % 2:
        scores = np.round(scores, 2)  # ties and zeros, where scipy approximates and our own test does not
        scores = scores[:, np.argsort(rank_scores(scores).mean(axis=0), kind="stable")]
    pairs = [
        (i, j, scipy.stats.wilcoxon(scores[:, i], scores[:, j], zero_method="pratt")[1]) for i in range(8) for j in range(i + 1, 8)
    ]
    pairs.sort(key=lambda pair: pair[2])
    significant = set()
    for step, (i, j, p) in enumerate(pairs):
        if p > alpha / (len(pairs) - step):
            break
        significant.add((i, j))
    graph = networkx.Graph([(i, j) for i, j, _ in pairs if (i, j) not in significant])
    expected = sorted({(min(clique), max(clique)) for clique in networkx.find_cliques(graph) if len(clique) > 1})
    found = judge(scores, "cd-diagram", alpha)
    assert found.groups == expected
    assert [found.tests.p[i, j] for i, j, _ in pairs] == pytest.approx([p for *_, p in pairs], rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_maximal_cliques_agree_with_networkx(seed):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((9, 9)) < 0.5, k=1)
    graph = networkx.from_numpy_array(upper | upper.T)
    ours = sorted(sorted(clique) for clique in maximal_cliques(upper | upper.T))
    assert ours == sorted(sorted(clique) for clique in networkx.find_cliques(graph))


@pytest.mark.parametrize("convention", ["aeon", "cd-diagram"])
def test_friedman_is_their_gate_and_not_ours(convention):
    rng = np.random.default_rng(7)
    scores = rng.normal(0.7, 0.05, (30, 5))
    scores = scores[:, np.argsort(rank_scores(scores).mean(axis=0))]
    assert friedman(scores).p > 0.05
    found = judge(scores, convention)
    assert found.groups == [(0, 4)]
    assert not found.tests.different.any()
    assert "Friedman's test does not reject" in found.test


@pytest.mark.parametrize("convention", ["ssd-bench", "nemenyi", "aeon", "cd-diagram"])
def test_permuting_datasets_changes_nothing(convention):
    scores = ordered(30, 6, 0.01)
    shuffled = scores[np.random.default_rng(0).permutation(30)]
    one, two = judge(scores, convention), judge(shuffled, convention)
    assert one.groups == two.groups
    assert np.allclose(one.tests.p, two.tests.p, atol=1e-12)


def test_two_methods_and_unknown_names_are_misuse():
    with pytest.raises(MisuseError, match="needs three methods"):
        judge(ordered(10, 2, 0.1), "aeon")
    with pytest.raises(MisuseError, match="Unknown test"):
        judge(ordered(10, 3, 0.1), "autorank")
    assert judge(ordered(10, 2, 0.1), "nemenyi").tests.different[0, 1]


@pytest.mark.parametrize(
    ("name", "options"), [("aeon", {"zero_method": "wilcox", "alternative": "greater"}), ("cd-diagram", {"zero_method": "pratt"})]
)
def test_p_values_are_those_of_scipy_for_few_datasets_with_ties(name, options):
    rng = np.random.default_rng(3)
    for n_datasets, decimals in ((3, 0), (8, 0), (8, 2), (13, 0), (13, 2), (14, 0)):
        # with 2 decimals some differences are equal but for rounding, which scipy does not take for a tie
        scores = np.round(rng.uniform(0.5, 0.6, size=(n_datasets, 3)) * 10 ** (decimals == 0), decimals)
        pairs = [(0, 1), (0, 2), (1, 2)]
        expected = [scipy.stats.wilcoxon(scores[:, i], scores[:, j], **options).pvalue for i, j in pairs]
        p = judge(scores, name).tests.p
        assert [p[pair] for pair in pairs] == pytest.approx(expected, abs=1e-12)
