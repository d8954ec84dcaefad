"""Tests of whether a score has fallen by more than its seeds explain: new results against a reference of several seeds.

Half of the false-alarm rate is assigned to single groups (dataset × method), with Bonferroni's correction, to find a collapse on
one dataset. The other half is assigned to the mean over the datasets of each method, to find a small drop everywhere. All tests are
one-sided. The rate holds for normal noise; the degrees of freedom are capped, so that heavy tails raise it by less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssd_cli.statistics.ranks import Floats

POWER = 0.8
PRIOR_DEGREES = 4
"""Weight of the mean variance of all groups in the variance of one group, in degrees of freedom (after Smyth 2004, but fixed).
Small test sets often repeat one score exactly, and with a variance of zero any other score would raise an alarm."""

GROUP_DEGREES, MEAN_DEGREES = 5, 20
"""Upper bounds of the degrees of freedom of the t distribution that gives the critical values. Seeds may have heavier tails than
a normal distribution: with the 9 degrees of ten seeds, and noise of Student's t with 4 degrees, 3.0 % of unchanged runs failed
instead of the stated 1 %; with these bounds 1.1 %. With the three datasets of results/reference, where one dataset decides most
means, 4.2 % fail in the same noise, and 0.9 % in normal noise (``python benchmarks/simulations.py gate``)."""


@dataclass(frozen=True)
class Fall:
    """The test of one group or one mean."""

    change: float
    """New mean minus reference mean; negative is worse."""
    tolerance: float
    """The largest fall within the noise."""
    p: float
    """One-sided p-value of the fall, or of the rise, before the correction."""
    detectable: float
    """The fall that the test detects with probability `POWER`."""

    @property
    def fell(self) -> bool:
        """Whether the fall exceeds the tolerance."""
        return self.change < -self.tolerance

    @property
    def rose(self) -> bool:
        """Whether the rise exceeds the tolerance."""
        return self.change > self.tolerance


def spreads(reference: list[Floats]) -> Floats:
    """Return the standard deviation over seeds of each group, or of its mixture with the mean of all groups if that is larger."""
    variances = np.array([values.var(ddof=1) for values in reference])
    degrees = np.array([len(values) - 1 for values in reference])
    mixed = (PRIOR_DEGREES * variances.mean() + degrees * variances) / (PRIOR_DEGREES + degrees)
    return np.sqrt(np.maximum(variances, mixed))


def group_falls(reference: list[Floats], new: list[Floats], alpha: float) -> list[Fall]:
    """Test every group by a t-test at `alpha`, on scores over seeds (higher is better; three or more in the reference)."""
    return [
        _fall(
            float(now.mean() - before.mean()),
            spread * np.sqrt(1 / len(before) + 1 / len(now)),
            min(len(before) - 1, GROUP_DEGREES),
            alpha,
        )
        for before, now, spread in zip(reference, new, spreads(reference), strict=True)
    ]


def mean_fall(reference: list[Floats], new: list[Floats], alpha: float) -> Fall:
    """Test the mean over the datasets of one method, paired by dataset, with degrees of freedom by Welch 1947."""
    degrees = np.array([len(values) - 1 for values in reference])
    squares = spreads(reference) ** 2 * np.array([1 / len(b) + 1 / len(n) for b, n in zip(reference, new, strict=True)])
    total = squares.sum()
    change = float(np.mean([now.mean() - before.mean() for before, now in zip(reference, new, strict=True)]))
    welch = total**2 / (squares**2 / degrees).sum() if total else degrees.sum()
    return _fall(change, np.sqrt(total) / len(reference), min(float(welch), MEAN_DEGREES), alpha)


def _fall(change: float, error: float, degrees: float, alpha: float) -> Fall:
    from scipy.special import stdtr, stdtrit

    error = max(error, 1e-12)  # a reference without spread: every change exceeds the tolerance
    critical = float(stdtrit(degrees, 1 - alpha))
    reach = critical + float(stdtrit(degrees, POWER))
    return Fall(change, critical * error, float(stdtr(degrees, -abs(change) / error)), reach * error)
