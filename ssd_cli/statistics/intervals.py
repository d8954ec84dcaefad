"""Confidence interval of a mean over datasets."""

from __future__ import annotations

import numpy as np

from ssd_cli.statistics.ranks import TIE, Floats

LEVEL = 0.95
METHOD = "t with (n - 1) / 2 degrees of freedom"
"""Name of the method in captions and files."""


def mean_interval(values: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the interval at `LEVEL` of the mean of each column.

    The interval is mean ± t(ν) · s / √n with ν = max(1, (n - 1) / 2). For normal values ν would be n - 1. Differences of accuracies
    over datasets have heavy tails, and the estimate of a variance of n values with kurtosis κ has about 2n / (κ - 1) degrees of
    freedom (Satterthwaite 1946): n / 2 for κ = 5. ``python benchmarks/intervals.py`` compares the coverage
    with that of other intervals.

    Parameters
    ----------
    values : ndarray of shape (n_datasets, n_columns)
        NaN is missing.

    Returns
    -------
    low, high : ndarray of shape (n_columns,)
        NaN for fewer than two values, and where all values are equal, since neither shows a spread.
    """
    from scipy.special import stdtrit

    there = np.isfinite(values)
    n = there.sum(axis=0)
    filled = np.where(there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    centred = np.where(there, values - mean, 0.0)
    known = (n > 1) & (np.abs(centred).max(axis=0, initial=0.0) > TIE)
    error = np.sqrt((centred**2).sum(axis=0) / np.maximum(n - 1, 1) / np.maximum(n, 1))
    half = np.where(known, stdtrit(np.maximum(1, (n - 1) / 2), (1 + LEVEL) / 2) * error, np.nan)
    return mean - half, mean + half
