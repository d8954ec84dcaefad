"""Wilcoxon's signed-rank test, and the test of equivalence, which combines two such tests."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ssd_cli.statistics.ranks import TIE, Floats, doubled_ranks

EXACT_UP_TO = 200
"""Number of non-zero differences up to which the exact distribution is used: every archive has fewer datasets, and a pair takes
milliseconds. scipy 1.17 stops at 50, and uses the normal distribution from 14 datasets on if any difference is zero or tied. With
few differences the error is large: four of one sign among 40 give p = .046 instead of .125."""


class Wilcoxon(NamedTuple):
    """Result of the test of a pair: the smaller of the two rank sums, the two-sided p-value, and whether p is exact."""

    statistic: float
    p: float
    exact: bool


def wilcoxon(differences: Floats) -> Wilcoxon:
    """Test two-sided that the differences (n_datasets,) are symmetric around 0.

    Zeros are ranked with the others and then left out (Pratt 1959). For at most `EXACT_UP_TO` non-zero differences p is computed
    from all signs, given the ranks, so it is exact with zeros and ties as well. Otherwise p is from the normal distribution without
    continuity correction, with the variance corrected for zeros and ties.
    """
    signs = _signed_ranks(differences)
    return Wilcoxon(min(signs.favour, signs.against) / 2, _two_sided(signs), signs.exact)


def wilcoxon_greater(differences: Floats) -> float:
    """Return the one-sided p-value of the same test against the alternative that the differences (n_datasets,) are above 0."""
    signs = _signed_ranks(differences)
    return _tail(signs.against, signs)


def scipy_p(differences: Floats, zeros: Literal["wilcox", "pratt"], alternative: Literal["greater", "two-sided"]) -> float:
    """Return the p-value of ``scipy.stats.wilcoxon``; 1 if all differences (n_datasets,) are 0.

    For up to 13 datasets with ties or zeros, scipy 1.17 enumerates all signs, which is several hundred times slower than the exact
    distribution of this module. As in scipy, differences are tied or zero only if they are equal to the last bit.
    """
    from scipy.stats import wilcoxon as scipy_wilcoxon

    if not differences.any():
        return 1.0
    if len(differences) > 13:
        return float(scipy_wilcoxon(differences, zero_method=zeros, alternative=alternative).pvalue)
    signs = _signed_ranks(differences[differences != 0] if zeros == "wilcox" else differences, tie=0.0)
    return _tail(signs.against, signs) if alternative == "greater" else _two_sided(signs)


class Equivalence(NamedTuple):
    """P-values of two one-sided tests; the pair is equivalent if the larger one, `p`, is small."""

    p: float
    above: float
    """P-value of the test that the differences are above -margin."""
    below: float
    """P-value of the test that the differences are below +margin."""


def equivalence(differences: Floats, margin: float) -> Equivalence:
    """Test that the differences (n_datasets,) are within ±margin (Schuirmann 1987, with Wilcoxon's test instead of the t-test)."""
    if not margin > 0:
        raise ValueError(f"the margin must be above 0, not {margin}")
    above, below = wilcoxon_greater(differences + margin), wilcoxon_greater(margin - differences)
    return Equivalence(max(above, below), above, below)


class _SignedRanks(NamedTuple):
    """Doubled ranks by Pratt, which are whole numbers although tied differences share the mean of their ranks."""

    favour: int
    """Sum of the ranks of differences above 0."""
    against: int
    ranks: npt.NDArray[np.int64]
    """Doubled ranks of the non-zero differences."""
    ties: npt.NDArray[np.int64]
    """Number of differences with the size of each of them."""
    n: int
    """Number of differences, zeros included."""

    @property
    def exact(self) -> bool:
        """Whether the exact distribution is used."""
        return len(self.ranks) <= EXACT_UP_TO


def _signed_ranks(differences: Floats, tie: float = TIE) -> _SignedRanks:
    size = np.abs(differences)
    doubled, n_equal = doubled_ranks(size, tie)
    favour, against = int(doubled[differences > tie].sum()), int(doubled[differences < -tie].sum())
    counted = size > tie
    return _SignedRanks(favour, against, doubled[counted], n_equal[counted], len(size))


def _two_sided(signs: _SignedRanks) -> float:
    return min(1.0, 2 * _tail(min(signs.favour, signs.against), signs))


def _tail(most: int, signs: _SignedRanks) -> float:
    """Return the probability that the doubled rank sum of one side is at most `most`, if all signs are equally probable."""
    from scipy.special import ndtr

    if signs.exact:
        return _share_at_most(most, signs.ranks)
    n, n_zero = signs.n, signs.n - len(signs.ranks)
    mean = (n * (n + 1) - n_zero * (n_zero + 1)) / 4
    variance = (n * (n + 1) * (2 * n + 1) - n_zero * (n_zero + 1) * (2 * n_zero + 1)) / 24
    variance -= (signs.ties**2 - 1).sum() / 48  # a group of t ties adds t (t² - 1)
    return float(ndtr((most / 2 - mean) / np.sqrt(variance)))


def _share_at_most(most: int, ranks: npt.NDArray[np.int64]) -> float:
    """Return the share of the 2^n subsets of the ranks (n,) with a sum of at most `most` (Streitberg and Röhmel 1986).

    Shares instead of counts, so that nothing overflows; they are sums of positive terms, with a relative error below 1e-13.
    """
    shares = np.zeros(most + 1)
    shares[0] = 1
    for rank in ranks.tolist():
        shares[rank:] += shares[: max(0, most + 1 - rank)].copy()
        shares /= 2
    return float(shares.sum())
