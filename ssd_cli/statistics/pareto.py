"""The Pareto front of score and cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_cli.statistics.ranks import TIE

Floats = npt.NDArray[np.float64]


def front(scores: Floats, costs: Floats) -> npt.NDArray[np.bool_]:
    """Return whether each method is on the front: no other is at least as good and as cheap, and better in one of the two.

    Higher scores and lower costs are better. Methods with NaN are ignored.
    """
    known = np.isfinite(scores) & np.isfinite(costs)
    scores, costs = np.where(known, scores, -np.inf), np.where(known, costs, np.inf)
    no_worse = (scores[:, None] >= scores - TIE) & (costs[:, None] <= costs)
    better = (scores[:, None] > scores + TIE) | (costs[:, None] < costs)
    return known & ~(no_worse & better & known[:, None]).any(axis=0)
