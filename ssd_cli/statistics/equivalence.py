"""Equivalence: is a method practically the same as another, which a test that finds no difference never shows."""

from __future__ import annotations

from typing import NamedTuple

from ssd_cli.statistics.effects import rank_biserial
from ssd_cli.statistics.ranks import Floats
from ssd_cli.statistics.tests import wilcoxon


class Equivalence(NamedTuple):
    """Two one-sided tests; the pair is equivalent where the larger p-value, `p`, is small."""

    p: float
    above: float
    """That the differences lie above -margin."""
    below: float
    """That they lie below +margin."""


def equivalence(differences: Floats, margin: float) -> Equivalence:
    """Two one-sided signed-rank tests that the differences lie within ±margin (Schuirmann 1987, with Wilcoxon's test for t).

    Parameters
    ----------
    differences : ndarray, shape (n_datasets,)
    margin : float
        In units of the differences; above 0.

    Returns
    -------
    Equivalence
        Zeros by Pratt, exact where `wilcoxon` is.
    """
    if not margin > 0:
        raise ValueError(f"the margin must be above 0, not {margin}")
    above, below = _greater(differences + margin), _greater(margin - differences)
    return Equivalence(max(above, below), above, below)


def _greater(differences: Floats) -> float:
    """One-sided p-value of the two-sided test: half of it in favour, the rest against (there a little less than the exact tail)."""
    half = wilcoxon(differences).p / 2
    return half if rank_biserial(differences) > 0 else 1 - half
