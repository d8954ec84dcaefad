"""The default: two-sided Wilcoxon, Pratt zeros, step-down Holm; bars join neighbours of which no two differ."""

from __future__ import annotations

import numpy as np

from ssd_cli.statistics.cliques import cliques
from ssd_cli.statistics.pairs import Floats, PairwiseTests, Verdicts, datasets_needed, holm, symmetric
from ssd_cli.statistics.wilcoxon import wilcoxon


def judge(scores: Floats, alpha: float) -> Verdicts:
    """Test every pair of methods by Wilcoxon's test, with Holm's correction over all pairs.

    With fewer than `datasets_needed` datasets no pair differs: such small numbers are always tested exactly.
    """
    n_datasets, n_methods = scores.shape
    results = [wilcoxon(scores[:, i] - scores[:, j]) for i, j in zip(*np.triu_indices(n_methods, k=1), strict=True)]
    p = np.array([result.p for result in results])
    adjusted, exact = holm(p), [result.exact for result in results]
    different, needed = symmetric(adjusted <= alpha, n_methods, False), datasets_needed(len(results), alpha)
    tests = PairwiseTests(
        p=symmetric(p, n_methods),
        adjusted=symmetric(adjusted, n_methods),
        different=different,
        exact=symmetric(exact, n_methods, False),
        needed=needed,
        enough=n_datasets >= needed,
    )
    sentence = (
        f"Wilcoxon signed-rank test, two-sided, zeros by Pratt, {_distribution(sum(exact), len(exact))}; Holm's step-down "
        f"correction over {len(results)} pair{'s' * (len(results) != 1)}; alpha {alpha:g}."
    )
    return Verdicts(tests, cliques(different), sentence, power_known=True)


def _distribution(n_exact: int, n_pairs: int) -> str:
    if n_exact == n_pairs:
        return "exact"
    if n_exact == 0:
        return "normal approximation without continuity correction"
    return f"exact for {n_exact} of the pairs, for the others normal approximation without continuity correction"
