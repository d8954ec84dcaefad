"""Effect sizes: mean difference, its interval, rank-biserial correlation.

Scores have shape (n_datasets, n_methods), higher is better, NaN is missing. Results have shape (n_methods, n_methods): the method
of the row minus the method of the column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ssd_cli.statistics.intervals import mean_interval
from ssd_cli.statistics.ranks import TIE, Floats, doubled_ranks


class Effects(NamedTuple):
    """Mean difference, the ends of its interval, and the rank-biserial correlation."""

    mean: Floats
    low: Floats
    high: Floats
    rank_biserial: Floats


def effects(scores: Floats) -> Effects:
    """Return the effect sizes of all pairs, on the datasets on which both methods have a score; NaN if there are none.

    The ends of the interval are also NaN where `mean_interval` gives none.
    """
    n_methods = scores.shape[1]
    first, second = np.triu_indices(n_methods, k=1)
    differences = scores[:, first] - scores[:, second]
    there = np.isfinite(differences)
    n_shared = there.sum(axis=0)
    mean = np.divide(np.nansum(differences, axis=0), n_shared, out=np.full(len(first), np.nan), where=n_shared > 0)
    low, high = mean_interval(differences)
    biserial = np.array([rank_biserial(differences[there[:, pair], pair]) for pair in range(len(first))])
    return Effects(
        _antisymmetric(mean, mean, n_methods),
        _antisymmetric(low, high, n_methods),
        _antisymmetric(high, low, n_methods),
        _antisymmetric(biserial, biserial, n_methods),
    )


def rank_biserial(differences: Floats) -> float:
    """Return the matched-pairs rank-biserial correlation (Kerby 2014): share of the rank sum in favour minus share against.

    Zeros are ranked as in `wilcoxon` (Pratt). 1: better on every dataset; 0: balanced, or no difference; NaN without datasets.
    """
    if not len(differences):
        return float("nan")
    ranks, _ = doubled_ranks(np.abs(differences))
    favour, against = ranks[differences > TIE].sum(), ranks[differences < -TIE].sum()
    return float((favour - against) / (favour + against)) if favour + against else 0.0


def _antisymmetric(upper: Floats, lower: Floats, n_methods: int) -> Floats:
    matrix = np.zeros((n_methods, n_methods))
    first, second = np.triu_indices(n_methods, k=1)
    matrix[first, second], matrix[second, first] = upper, -lower
    return matrix
