"""aeon's plot_critical_difference: one-sided Wilcoxon, zeros dropped, one threshold alpha/(k-1), gated by Friedman."""

from __future__ import annotations

import numpy as np

from ssd_cli.statistics.pairs import Floats, PairwiseTests, Verdicts, friedman_rejects, symmetric
from ssd_cli.statistics.wilcoxon import scipy_p

RULE = "A bar joins each method with all behind it up to the first that differs from it; others in the bar may differ."


def judge(scores: Floats, alpha: float) -> Verdicts:
    """Reproduce aeon 1.6, errors included: one-sided p-values, and Holm's largest divisor for every pair."""
    n_methods = scores.shape[1]
    rejects, words = friedman_rejects(scores, alpha, "aeon")
    pairs = zip(*np.triu_indices(n_methods, k=1), strict=True)
    p = np.array([scipy_p(scores[:, first] - scores[:, second], "wilcox", "greater") for first, second in pairs])
    different = symmetric((p <= alpha / (n_methods - 1)) & rejects, n_methods, False)
    adjusted = symmetric(np.minimum(1, p * (n_methods - 1)), n_methods)
    groups: list[tuple[int, int]] = []
    for first in range(n_methods):
        beyond = np.flatnonzero(different[first, first:])
        last = first + int(beyond[0]) - 1 if len(beyond) else n_methods - 1
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    sentence = (
        "As aeon 1.6 does it: Wilcoxon signed-rank test, ONE-sided (better rank against worse), zeros dropped, every p compared "
        f"with alpha/{n_methods - 1}, alpha {alpha:g}{words}. Too liberal: see the false pairs in the documentation."
    )
    tests = PairwiseTests(symmetric(p, n_methods), adjusted, different)
    return Verdicts(tests, groups, sentence, RULE, gated=True)
