"""hfawaz/cd-diagram: as the default, but p-values by scipy, gated by Friedman, and bars span maximal cliques."""

from __future__ import annotations

import numpy as np

from ssd_cli.statistics.pairs import Bools, Floats, PairwiseTests, Verdicts, friedman_rejects, holm, symmetric
from ssd_cli.statistics.wilcoxon import scipy_p

RULE = "A bar spans a largest set of methods of which no two differ; it may pass over a method that differs from one of them."


def judge(scores: Floats, alpha: float) -> Verdicts:
    """Reproduce cd-diagram with scipy's p-values, which use the normal distribution where differences are zero or tied."""
    n_methods = scores.shape[1]
    rejects, words = friedman_rejects(scores, alpha, "cd-diagram")
    pairs = zip(*np.triu_indices(n_methods, k=1), strict=True)
    p = np.array([scipy_p(scores[:, first] - scores[:, second], "pratt", "two-sided") for first, second in pairs])
    adjusted = holm(p)
    different = symmetric((adjusted <= alpha) & rejects, n_methods, False)
    spans = {(min(clique), max(clique)) for clique in maximal_cliques(~different) if len(clique) > 1}
    sentence = (
        f"As cd-diagram does it: Wilcoxon signed-rank test, two-sided, zeros by Pratt, by scipy; Holm's step-down correction over "
        f"{len(p)} pairs; alpha {alpha:g}{words}."
    )
    tests = PairwiseTests(symmetric(p, n_methods), symmetric(adjusted, n_methods), different)
    return Verdicts(tests, sorted(spans), sentence, RULE, gated=True)


def maximal_cliques(joined: Bools) -> list[set[int]]:
    """Return all maximal cliques of a symmetric relation (Bron and Kerbosch 1973, with a pivot)."""
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
