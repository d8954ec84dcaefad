"""Friedman's test that all methods have the same ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssd_cli.statistics.ranks import Floats, rank_scores


@dataclass(frozen=True)
class Friedman:
    """Result of Friedman's test: chi-squared, corrected for ties, its p-value and degrees of freedom.

    `f` is the less conservative statistic of Iman and Davenport, with n_methods - 1 and (n_methods - 1)(n_datasets - 1) degrees of
    freedom.
    """

    statistic: float
    p: float
    degrees: int
    f: float
    f_p: float
    f_degrees: tuple[int, int]


def friedman(scores: Floats) -> Friedman | None:
    """Test scores of shape (n_datasets, n_methods), higher is better; None with fewer than 3 methods or 2 datasets.

    The test is from Friedman 1937; Iman and Davenport 1980 give F = (n - 1) χ² / (n (k - 1) - χ²).
    """
    from scipy.special import chdtrc, fdtrc

    n_datasets, n_methods = scores.shape
    if n_methods < 3 or n_datasets < 2:
        return None
    centred = rank_scores(scores) - (n_methods + 1) / 2
    spread = (centred**2).sum()
    degrees = (n_methods - 1, (n_methods - 1) * (n_datasets - 1))
    if spread == 0:
        return Friedman(0.0, 1.0, n_methods - 1, 0.0, 1.0, degrees)  # all methods are equal on every dataset
    statistic = float((n_methods - 1) * (centred.sum(axis=0) ** 2).sum() / spread)
    left = n_datasets * (n_methods - 1) - statistic
    f = (n_datasets - 1) * statistic / left if left > 1e-9 * statistic else float("inf")
    f_p = float(fdtrc(*degrees, f)) if np.isfinite(f) else 0.0
    return Friedman(statistic, float(chdtrc(n_methods - 1, statistic)), n_methods - 1, f, f_p, degrees)
