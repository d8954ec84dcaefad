"""Results of tests of all pairs of methods, and functions that the tests share: Holm's correction, the gate by Friedman's test."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ssd_cli.errors import MisuseError
from ssd_cli.statistics.cliques import RULE
from ssd_cli.statistics.friedman import friedman
from ssd_cli.statistics.ranks import Floats

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PairwiseTests:
    """P-values and decisions for all pairs of methods, matrices of shape (n_methods, n_methods); 1 on the diagonal of p-values."""

    p: Floats
    adjusted: Floats
    different: Bools
    exact: Bools | None = None
    """Whether the p-value is exact; None if the test does not report it."""
    needed: int = 0
    """Number of datasets below which no difference can be significant after the correction."""
    enough: bool = True
    """Whether there are at least `needed` datasets."""

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self.p) * (len(self.p) - 1) // 2


@dataclass(frozen=True)
class Verdicts:
    """Result of one statistical test; `test` and `rule` are sentences of the caption."""

    tests: PairwiseTests
    groups: list[tuple[int, int]] = field(repr=False)
    """First and last method of each bar, the last included."""
    test: str
    """The test, its correction and alpha."""
    rule: str = RULE
    """What a bar means."""
    gated: bool = False
    """Whether pairs can differ only if Friedman's test rejects."""
    power_known: bool = False
    """Whether `variance.detectable` is the smallest difference that this test detects."""


def symmetric(upper: npt.ArrayLike, n_methods: int, diagonal: float | bool = 1.0) -> npt.NDArray:
    """Return the symmetric matrix with the values (n_pairs,) of the pairs i < j, row by row, and a constant diagonal."""
    found = np.full((n_methods, n_methods), diagonal)
    first, second = np.triu_indices(n_methods, k=1)
    found[first, second] = found[second, first] = upper
    return found


def holm(p: Floats) -> Floats:
    """Return step-down adjusted p-values (Holm 1979) in the order of `p`: i-th smallest of m times m - i + 1, non-decreasing."""
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result


def datasets_needed(n_pairs: int, alpha: float = 0.05) -> int:
    """Return the least number of datasets with which one of `n_pairs` differences can be significant after Holm's correction.

    The smallest two-sided p-value of n non-zero differences is 2^(1 - n); Holm compares the smallest of m p-values with alpha / m.
    """
    return int(np.ceil(1 - np.log2(alpha / n_pairs)))


def friedman_rejects(scores: Floats, alpha: float, name: str) -> tuple[bool, str]:
    """Return whether Friedman's test rejects, and words for the caption if it does not.

    Raise MisuseError for fewer than three methods or two datasets.
    """
    result = friedman(scores)
    if result is None:
        raise MisuseError(
            f"The test '{name}' begins with Friedman's test, which needs three methods and two datasets.",
            "",
            "Leave --test out: the default works for two methods.",
        )
    rejects = result.p < alpha
    return rejects, "" if rejects else "; Friedman's test does not reject, so all methods are joined"
