"""Verdicts on all pairs and the groups that follow, by our rule or by those of others whose figures are to be reproduced.

Scores have shape (n_datasets, n_methods), methods in the order of their average ranks, best first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ssd_cli.errors import MisuseError
from ssd_cli.statistics.cliques import RULE, cliques
from ssd_cli.statistics.ranks import Floats, rank_scores
from ssd_cli.statistics.tests import PairwiseTests, compare_pairs, friedman, holm

Bools = npt.NDArray[np.bool_]

DEFAULT = "ssd-bench"
CONVENTIONS = {
    DEFAULT: "two-sided Wilcoxon, Pratt zeros, step-down Holm; bars join neighbours of which no two differ",
    "nemenyi": "Nemenyi's test of the average ranks (Demšar 2006)",
    "aeon": "aeon's plot_critical_difference: one-sided Wilcoxon, zeros dropped, one threshold alpha/(k-1), gated by Friedman",
    "cd-diagram": "hfawaz/cd-diagram: as ssd-bench, but p-values by scipy, gated by Friedman, and bars span maximal cliques",
}


@dataclass(frozen=True)
class Verdicts:
    """What one convention says.

    Parameters
    ----------
    tests : PairwiseTests
    groups : list of (int, int)
        First and last method of each bar, the last included.
    test, rule : str
        Sentences: the test, and what a bar means; empty where the caption's own words hold.
    """

    tests: PairwiseTests
    groups: list[tuple[int, int]] = field(repr=False)
    test: str = ""
    rule: str = RULE


def judge(scores: Floats, convention: str = DEFAULT, alpha: float = 0.05) -> Verdicts:
    """Test every pair and form the groups.

    Raises
    ------
    MisuseError
        Unknown convention, or one that needs three methods where there are two.
    """
    if convention not in CONVENTIONS:
        raise MisuseError(f"Unknown convention '{convention}'.", f"Expected one of {', '.join(CONVENTIONS)}.")
    if convention == DEFAULT:
        tests = compare_pairs(scores, alpha)
        return Verdicts(tests, cliques(tests.different))
    if convention == "nemenyi":
        return _nemenyi(scores, alpha)
    result = friedman(scores)
    if result is None:
        raise MisuseError(
            f"The convention '{convention}' begins with Friedman's test, which needs three methods and two datasets.",
            "",
            f"Leave --convention out: the rule of {DEFAULT} works for two methods.",
        )
    return (_aeon if convention == "aeon" else _cd_diagram)(scores, alpha, result.p < alpha)


def _nemenyi(scores: Floats, alpha: float) -> Verdicts:
    """Average ranks that differ by more than the critical difference, by the studentized range (Nemenyi 1963)."""
    from scipy.stats import studentized_range

    n_datasets, n_methods = scores.shape
    average = rank_scores(scores).mean(axis=0)
    first, second = np.triu_indices(n_methods, k=1)
    ranges = np.abs(average[first] - average[second]) / _error(n_datasets, n_methods)
    p = np.ones((n_methods, n_methods))
    p[first, second] = p[second, first] = np.clip(studentized_range.sf(ranges, n_methods, np.inf), 0, 1)
    critical = critical_difference(n_datasets, n_methods, alpha)
    different = (p <= alpha) & ~np.eye(n_methods, dtype=bool)
    sentence = f"Nemenyi's test of the average ranks: critical difference {critical:.3f} at alpha {alpha:g}."
    return Verdicts(_tests(p, p, different), cliques(different), sentence)


def critical_difference(n_datasets: int, n_methods: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of two average ranks (Demšar 2006, section 3.2.2)."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, n_methods, np.inf)) * _error(n_datasets, n_methods)


def _error(n_datasets: int, n_methods: int) -> float:
    """Standard deviation of one average rank where all methods are equal."""
    return float(np.sqrt(n_methods * (n_methods + 1) / (12 * n_datasets)))


def _aeon(scores: Floats, alpha: float, gate: bool) -> Verdicts:
    """Reproduces aeon 1.6, with what is wrong in it: one-sided p-values, and Holm's largest divisor for every pair."""
    from scipy.stats import wilcoxon

    n_methods = scores.shape[1]
    p = np.ones((n_methods, n_methods))
    for i in range(n_methods):
        for j in range(i + 1, n_methods):
            if (scores[:, i] != scores[:, j]).any():
                p[i, j] = p[j, i] = wilcoxon(scores[:, i], scores[:, j], zero_method="wilcox", alternative="greater").pvalue
    different = (p <= alpha / (n_methods - 1)) & gate & ~np.eye(n_methods, dtype=bool)
    groups: list[tuple[int, int]] = []
    for first in range(n_methods):
        beyond = np.flatnonzero(different[first, first:])
        last = first + int(beyond[0]) - 1 if len(beyond) else n_methods - 1
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    sentence = (
        "As aeon 1.6 does it: Wilcoxon signed-rank test, ONE-sided (better rank against worse), zeros dropped, every p compared "
        f"with alpha/{n_methods - 1}, alpha {alpha:g}{_gate(gate)}. Too liberal: see the false pairs in the documentation."
    )
    rule = "A bar joins each method with all behind it up to the first that differs from it; others in the bar may differ."
    return Verdicts(_tests(p, np.minimum(1, p * (n_methods - 1)), different), groups, sentence, rule)


def _cd_diagram(scores: Floats, alpha: float, gate: bool) -> Verdicts:
    """Reproduces cd-diagram with its p-values, those of scipy: from the normal distribution where differences are zero or tied."""
    from scipy.stats import wilcoxon

    n_methods = scores.shape[1]
    first, second = np.triu_indices(n_methods, k=1)
    raw = [
        float(wilcoxon(a, b, zero_method="pratt").pvalue) if (a != b).any() else 1.0
        for a, b in zip(scores.T[first], scores.T[second], strict=True)
    ]
    p, adjusted = np.ones((n_methods, n_methods)), np.ones((n_methods, n_methods))
    p[first, second] = p[second, first] = raw
    adjusted[first, second] = adjusted[second, first] = holm(np.array(raw))
    different = (adjusted <= alpha) & gate & ~np.eye(n_methods, dtype=bool)
    spans = {(min(clique), max(clique)) for clique in maximal_cliques(~different) if len(clique) > 1}
    sentence = (
        f"As cd-diagram does it: Wilcoxon signed-rank test, two-sided, zeros by Pratt, by scipy; Holm's step-down correction over "
        f"{len(raw)} pairs; alpha {alpha:g}{_gate(gate)}."
    )
    rule = "A bar spans a largest set of methods of which no two differ; it may pass over a method that differs from one of them."
    return Verdicts(_tests(p, adjusted, different), sorted(spans), sentence, rule)


def maximal_cliques(joined: Bools) -> list[set[int]]:
    """All maximal cliques of a symmetric relation (Bron and Kerbosch 1973, with a pivot)."""
    neighbours = [set(np.flatnonzero(row).tolist()) - {i} for i, row in enumerate(joined)]
    found: list[set[int]] = []

    def extend(clique: set[int], candidates: set[int], done: set[int]) -> None:
        if not candidates and not done:
            found.append(clique)
            return
        pivot = max(candidates | done, key=lambda node: len(neighbours[node] & candidates))
        for node in sorted(candidates - neighbours[pivot]):
            extend(clique | {node}, candidates & neighbours[node], done & neighbours[node])
            candidates = candidates - {node}
            done = done | {node}

    extend(set(), set(range(len(joined))), set())
    return found


def _gate(gate: bool) -> str:
    return "" if gate else "; Friedman's test does not reject, so all methods are joined"


def _tests(p: Floats, adjusted: Floats, different: Bools) -> PairwiseTests:
    n_methods = len(p)
    exact = np.zeros(p.shape, dtype=bool)
    return PairwiseTests(p, adjusted, exact, different, n_methods * (n_methods - 1) // 2, 0, True)
