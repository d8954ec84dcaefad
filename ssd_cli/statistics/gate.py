"""Has a score fallen by more than chance explains? New results against a reference of several seeds.

Half of the false-alarm rate is spent on each single group (dataset × method), by Bonferroni, so that a collapse on one dataset is
found; half on the mean over the datasets of each method, so that a small drop everywhere is found. All tests are one-sided.
The degrees of freedom are capped, so that the rate holds for noise with heavy tails as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

POWER = 0.8
PRIOR_DEGREES = 4
"""Weight of the mean variance of all groups in that of one, in degrees of freedom: small test sets often repeat one score exactly,
and a variance of zero would make any other score an alarm (after Smyth 2004, with a fixed weight)."""

GROUP_DEGREES, MEAN_DEGREES = 5, 20
"""Most degrees of freedom of the t distribution from which critical values are taken. Seeds may scatter with heavier tails than a
normal distribution, and far out the t-test does not forgive it: with the 9 degrees of ten seeds, and noise of Student's t with 4
degrees, 3.0 % of unchanged runs failed where 1 % was stated; with these, 1.1 % (``benchmarks/simulations.py``)."""


@dataclass(frozen=True)
class Fall:
    """The test of one group or one mean.

    Parameters
    ----------
    change : float
        New mean minus reference mean; negative is worse.
    tolerance : float
        A fall of at most this is within the noise.
    p : float
        Of so large a fall, or of so large a rise where it rose; one-sided, before the correction.
    detectable : float
        The fall that would be found with probability `POWER`.
    """

    change: float
    tolerance: float
    p: float
    detectable: float

    @property
    def fell(self) -> bool:
        """Whether the fall is larger than chance explains."""
        return self.change < -self.tolerance

    @property
    def rose(self) -> bool:
        """Whether it rose by as much."""
        return self.change > self.tolerance


def spreads(reference: list[Floats]) -> Floats:
    """Standard deviation over seeds of each group, never below its mixture with the mean of all groups."""
    variances = np.array([values.var(ddof=1) for values in reference])
    degrees = np.array([len(values) - 1 for values in reference])
    mixed = (PRIOR_DEGREES * variances.mean() + degrees * variances) / (PRIOR_DEGREES + degrees)
    return np.sqrt(np.maximum(variances, mixed))


def group_falls(reference: list[Floats], new: list[Floats], alpha: float) -> list[Fall]:
    """A t-test for every group.

    Parameters
    ----------
    reference, new : list of ndarray
        Scores over seeds of each group, higher is better; the reference at least three.
    alpha : float
        For each test.
    """
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
    """Test of the mean over independent groups: the datasets of one method, paired by dataset (Welch 1947 for the degrees)."""
    degrees = np.array([len(values) - 1 for values in reference])
    squares = spreads(reference) ** 2 * np.array([1 / len(b) + 1 / len(n) for b, n in zip(reference, new, strict=True)])
    total = squares.sum()
    change = float(np.mean([now.mean() - before.mean() for before, now in zip(reference, new, strict=True)]))
    welch = total**2 / (squares**2 / degrees).sum() if total else degrees.sum()
    return _fall(change, np.sqrt(total) / len(reference), min(float(welch), MEAN_DEGREES), alpha)


def _fall(change: float, error: float, degrees: float, alpha: float) -> Fall:
    from scipy.special import stdtr, stdtrit

    error = max(error, 1e-12)  # a reference without any spread: every change counts
    critical = float(stdtrit(degrees, 1 - alpha))
    reach = critical + float(stdtrit(degrees, POWER))
    return Fall(change, critical * error, float(stdtr(degrees, -abs(change) / error)), reach * error)
