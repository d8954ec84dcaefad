"""Friedman's test over all methods, Wilcoxon's signed-rank test of each pair, and Holm's correction.

Everywhere: scores have shape (n_datasets, n_methods), and higher is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ssd_cli.statistics.ranks import TIE, Floats, doubled_ranks, rank_scores

EXACT_UP_TO = 50
"""Number of differences other than zero up to which the distribution is counted out; above it the normal one is as good. scipy 1.17
has the same number, but takes the normal distribution from 14 datasets on as soon as one difference is zero or tied. Where few are
not zero that is far off: four, all one way, among 40 give p = .046 instead of .125."""


@dataclass(frozen=True)
class Friedman:
    """Result of Friedman's test.

    Parameters
    ----------
    statistic : float
        Chi-squared, corrected for ties.
    p : float
    degrees : int
        Degrees of freedom: n_methods - 1.
    f, f_p : float
        Iman and Davenport's statistic, which is less conservative, and its p-value.
    f_degrees : (int, int)
        Its degrees of freedom: n_methods - 1 and (n_methods - 1)(n_datasets - 1).
    """

    statistic: float
    p: float
    degrees: int
    f: float
    f_p: float
    f_degrees: tuple[int, int]


def friedman(scores: Floats) -> Friedman | None:
    """Friedman's test that all methods have the same ranks; None with fewer than 3 methods or 2 datasets.

    Friedman 1937, and in the form of Iman and Davenport 1980: F = (n - 1) χ² / (n (k - 1) - χ²).
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


@dataclass(frozen=True)
class Wilcoxon:
    """Result of the signed-rank test of a pair.

    Parameters
    ----------
    statistic : float
        The smaller of the two rank sums.
    p : float
        Two-sided.
    exact : bool
        Whether the distribution was counted out rather than approximated.
    """

    statistic: float
    p: float
    exact: bool


def wilcoxon(differences: Floats) -> Wilcoxon:
    """Two-sided signed-rank test that the differences (n_datasets,) are symmetric around 0.

    Zeros are ranked with the others and then left out (Pratt 1959). For at most `EXACT_UP_TO` other differences the distribution is
    that of all their signs, their ranks given, so it is exact with zeros and ties as well; else normal without continuity
    correction, its variance corrected for zeros and ties.
    """
    signs = _signed_ranks(differences)
    smaller = min(signs.favour, signs.against)
    return Wilcoxon(smaller / 2, min(1.0, 2 * _tail(smaller, signs)), signs.exact)


def wilcoxon_greater(differences: Floats) -> float:
    """One-sided p-value of the same test, that the differences (n_datasets,) lie above 0."""
    signs = _signed_ranks(differences)
    return _tail(signs.against, signs)


class _SignedRanks(NamedTuple):
    """Ranks by Pratt, doubled: whole numbers, although ties share the mean of theirs."""

    favour: int
    """Sum of the ranks of differences above 0."""
    against: int
    ranks: npt.NDArray[np.int64]
    """Of the differences other than 0."""
    ties: npt.NDArray[np.int64]
    """How many differences have the size of each of them."""
    n: int
    """Zeros included."""

    @property
    def exact(self) -> bool:
        """Whether the distribution is counted out."""
        return len(self.ranks) <= EXACT_UP_TO


def _signed_ranks(differences: Floats) -> _SignedRanks:
    size = np.abs(differences)
    doubled, n_equal = doubled_ranks(size)
    favour, against = int(doubled[differences > TIE].sum()), int(doubled[differences < -TIE].sum())
    counted = size > TIE
    return _SignedRanks(favour, against, doubled[counted], n_equal[counted], len(size))


def _tail(most: int, signs: _SignedRanks) -> float:
    """Probability that the doubled rank sum of one side is at most `most`, if all signs are equally probable."""
    from scipy.special import ndtr

    if signs.exact:
        return _share_at_most(most, signs.ranks)
    n, n_zero = signs.n, signs.n - len(signs.ranks)
    mean = (n * (n + 1) - n_zero * (n_zero + 1)) / 4
    variance = (n * (n + 1) * (2 * n + 1) - n_zero * (n_zero + 1) * (2 * n_zero + 1)) / 24
    variance -= (signs.ties**2 - 1).sum() / 48  # a group of t ties adds t (t² - 1)
    return float(ndtr((most / 2 - mean) / np.sqrt(variance)))


def _share_at_most(most: int, ranks: npt.NDArray[np.int64]) -> float:
    """Share of the 2^n subsets of the ranks (n,) with a sum of at most `most` (the shift algorithm, Streitberg and Röhmel 1986).

    The counts are whole numbers below 2^53, hence without rounding.
    """
    counts = np.zeros(most + 1)
    counts[0] = 1
    for rank in ranks.tolist():
        counts[rank:] += counts[:-rank].copy()
    return float(counts.sum() / 2.0 ** len(ranks))


def holm(p: Floats) -> Floats:
    """Step-down adjusted p-values (Holm 1979), in the order of `p`: the i-th smallest of m times m - i + 1, never falling."""
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result


@dataclass(frozen=True)
class PairwiseTests:
    """All pairs of methods.

    Parameters
    ----------
    p, adjusted : ndarray, shape (n_methods, n_methods)
        Two-sided Wilcoxon p-values, as they are and after Holm's correction over all pairs; 1 on the diagonal.
    exact : ndarray of bool, shape (n_methods, n_methods)
    different : ndarray of bool, shape (n_methods, n_methods)
        Adjusted p at most alpha.
    n_pairs : int
    needed : int
        The number of datasets below which no difference can be significant after the correction.
    enough : bool
        Whether there are that many.
    """

    p: Floats
    adjusted: Floats
    exact: npt.NDArray[np.bool_]
    different: npt.NDArray[np.bool_]
    n_pairs: int
    needed: int
    enough: bool


def compare_pairs(scores: Floats, alpha: float = 0.05) -> PairwiseTests:
    """Wilcoxon's test of every pair of methods, with Holm's correction over all of them.

    The smallest two-sided p-value that n differences other than zero can give is 2^(1 - n), and Holm compares the smallest of m
    with alpha / m. With fewer than `needed` of them a pair is never called different, since so few are always tested exactly.
    """
    n_datasets, n_methods = scores.shape
    first, second = np.triu_indices(n_methods, k=1)
    results = [wilcoxon(scores[:, i] - scores[:, j]) for i, j in zip(first, second, strict=True)]
    needed = datasets_needed(len(results), alpha)
    p, adjusted = np.ones((n_methods, n_methods)), np.ones((n_methods, n_methods))
    exact = np.zeros((n_methods, n_methods), dtype=bool)
    p[first, second] = p[second, first] = [result.p for result in results]
    adjusted[first, second] = adjusted[second, first] = holm(p[first, second])
    exact[first, second] = exact[second, first] = [result.exact for result in results]
    different = (adjusted <= alpha) & ~np.eye(n_methods, dtype=bool)
    return PairwiseTests(p, adjusted, exact, different, len(results), needed, n_datasets >= needed)


def datasets_needed(n_pairs: int, alpha: float = 0.05) -> int:
    """The least number of datasets with which one of `n_pairs` differences can be significant after Holm's correction."""
    return int(np.ceil(1 - np.log2(alpha / n_pairs)))
