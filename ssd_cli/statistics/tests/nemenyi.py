"""Nemenyi's test of the average ranks (Demšar 2006)."""

from __future__ import annotations

import numpy as np

from ssd_cli.statistics.cliques import cliques
from ssd_cli.statistics.pairs import Floats, PairwiseTests, Verdicts, symmetric
from ssd_cli.statistics.ranks import rank_scores


def judge(scores: Floats, alpha: float) -> Verdicts:
    """Compare the differences of average ranks with the critical difference, by the studentized range (Nemenyi 1963)."""
    from scipy.stats import studentized_range

    n_datasets, n_methods = scores.shape
    average = rank_scores(scores).mean(axis=0)
    first, second = np.triu_indices(n_methods, k=1)
    ranges = np.abs(average[first] - average[second]) / _error(n_datasets, n_methods)
    p = np.clip(studentized_range.sf(ranges, n_methods, np.inf), 0, 1)
    matrix, different = symmetric(p, n_methods), symmetric(p <= alpha, n_methods, False)
    critical = critical_difference(n_datasets, n_methods, alpha)
    sentence = f"Nemenyi's test of the average ranks: critical difference {critical:.3f} at alpha {alpha:g}."
    return Verdicts(PairwiseTests(matrix, matrix, different), cliques(different), sentence)


def critical_difference(n_datasets: int, n_methods: int, alpha: float = 0.05) -> float:
    """Return Nemenyi's critical difference of two average ranks (Demšar 2006, section 3.2.2)."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, n_methods, np.inf)) * _error(n_datasets, n_methods)


def _error(n_datasets: int, n_methods: int) -> float:
    """Return the standard deviation of one average rank if all methods are equal."""
    return float(np.sqrt(n_methods * (n_methods + 1) / (12 * n_datasets)))
