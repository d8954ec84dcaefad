"""Equivalence: is a method practically the same as another, which a test that finds no difference never shows."""

from __future__ import annotations

from typing import NamedTuple

from ssd_cli.statistics.ranks import Floats
from ssd_cli.statistics.tests import wilcoxon_greater


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
    above, below = wilcoxon_greater(differences + margin), wilcoxon_greater(margin - differences)
    return Equivalence(max(above, below), above, below)
