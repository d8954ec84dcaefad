"""Ranks on each dataset, counts of wins, ties and losses, and the Pareto front of score and cost.

Scores have shape (n_datasets, n_methods), and higher is better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TIE = 1e-12
"""Scores that differ by less are treated as equal, so that the rounding error of a mean does not decide a rank. The smallest real
step, one test case of the largest dataset in one of hundreds of runs, is five orders of magnitude larger."""


def rank_scores(scores: Floats) -> Floats:
    """Return the ranks on each dataset: 1 is the best, equal scores share the mean of their ranks. Same shape as `scores`."""
    gap = scores[:, None, :] - scores[:, :, None]  # [dataset, i, j]: by how much j is better than i
    better = (gap > TIE).sum(axis=2)
    equal = (np.abs(gap) <= TIE).sum(axis=2)
    return better + (equal + 1) / 2


def doubled_ranks(values: Floats, tie: float = TIE) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return twice the rank of each value (n,), smallest first, and the number of values equal to it, itself included.

    Equal values share the mean of their ranks; doubled ranks are whole numbers.
    """
    gap = values[:, None] - values[None, :]
    n_equal = (np.abs(gap) <= tie).sum(axis=1)
    return 2 * (gap > tie).sum(axis=1) + n_equal + 1, n_equal


class Contests(NamedTuple):
    """Counts of datasets, shape (n_methods, n_methods): row against column."""

    wins: npt.NDArray[np.int64]
    ties: npt.NDArray[np.int64]
    losses: npt.NDArray[np.int64]


def contests(scores: Floats) -> Contests:
    """Count the datasets on which the method of the row wins, ties and loses against that of the column; 0 on the diagonal."""
    gap = scores[:, :, None] - scores[:, None, :]
    wins = (gap > TIE).sum(axis=0)
    ties = (np.abs(gap) <= TIE).sum(axis=0)
    np.fill_diagonal(ties, 0)
    return Contests(wins, ties, wins.T.copy())


def front(scores: Floats, costs: Floats) -> npt.NDArray[np.bool_]:
    """Return whether each method is on the front: no other method is at least as good and as cheap, and better in one of the two.

    Higher scores and lower costs are better. Methods with NaN are ignored.
    """
    known = np.isfinite(scores) & np.isfinite(costs)
    scores, costs = np.where(known, scores, -np.inf), np.where(known, costs, np.inf)
    no_worse = (scores[:, None] >= scores - TIE) & (costs[:, None] <= costs)
    better = (scores[:, None] > scores + TIE) | (costs[:, None] < costs)
    return known & ~(no_worse & better & known[:, None]).any(axis=0)
