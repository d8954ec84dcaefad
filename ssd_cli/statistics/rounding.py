"""Accuracies that their publishers rounded: which of them are equal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_cli.statistics.ranks import Floats

Ints = npt.NDArray[np.int64]

EXACT = 12
"""With so many decimals, accuracies are compared as they are: rounding is within `ranks.TIE`."""


def comparable(scores: Floats, decimals: Ints, n_test: Ints) -> Floats:
    """Return the scores (n_datasets, n_methods) in the form in which they are compared; NaN stays.

    `decimals` (n_methods,) is to how many decimals each method is rounded, at least `EXACT` for none; `n_test` (n_datasets,) the
    number of test cases, 0 where it is unknown. A rounded accuracy a becomes round(a · n_test) / n_test if that is the only count
    of correct cases with these decimals, rounded or cut off. Where another one is left (a mean of several runs, an unknown number
    of cases), all scores of the dataset are rounded to the fewest decimals among those that are left.
    """
    rounded, unit, cases = decimals < EXACT, 10.0**-decimals, np.maximum(n_test, 1)[:, None]
    counted = np.round(scores * cases) / cases
    known = (n_test[:, None] > 0) & (unit * cases < 0.5) & (np.abs(scores - counted) < unit)
    left = rounded & ~known & np.isfinite(scores)
    result = np.where(rounded & known, counted, scores)
    places = left.any(axis=1)
    steps = 10.0 ** np.where(left, decimals, EXACT).min(axis=1)[places, None]
    result[places] = np.floor(result[places] * steps + 0.5 + 1e-6) / steps
    return result
