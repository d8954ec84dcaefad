"""Where the spread of the scores comes from, and what a study of this size can see.

Everywhere: results have shape (n_datasets, n_methods, n_resamples, n_seeds).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

POWER = 0.8
_WILCOXON = np.sqrt(np.pi / 3)
"""The signed-rank test needs π/3 times the datasets of the t-test where differences are normal (Pitman efficiency 3/π)."""


class Split(NamedTuple):
    """Variance components; NaN where the study cannot tell: with one resample or one seed it is part of the next larger one."""

    datasets: float
    resamples: float
    seeds: float


def split(results: Floats) -> Split:
    """Variance components of one method by the analysis of variance: seeds nested in resamples nested in datasets.

    Parameters
    ----------
    results : ndarray, shape (n_datasets, n_resamples, n_seeds)
        Complete.

    Returns
    -------
    Split
        Estimates from the mean squares (Searle, Casella and McCulloch 1992, section 3.6), negative ones as 0. They equal the
        restricted maximum likelihood where none is negative.
    """
    n_datasets, n_resamples, n_seeds = results.shape
    of_resamples, of_datasets = results.mean(axis=2), results.mean(axis=(1, 2))
    seeds = resamples = datasets = np.nan
    below = 0.0  # mean square of the next level down, per mean of this level
    if n_seeds > 1:
        seeds = float(((results - of_resamples[:, :, None]) ** 2).sum() / (n_datasets * n_resamples * (n_seeds - 1)))
        below = seeds / n_seeds
    if n_resamples > 1:
        mean_square = float(((of_resamples - of_datasets[:, None]) ** 2).sum() / (n_datasets * (n_resamples - 1)))
        resamples = max(0.0, mean_square - below)
        below = mean_square / n_resamples
    if n_datasets > 1:
        datasets = max(0.0, float(of_datasets.var(ddof=1)) - below)
    return Split(datasets, resamples, seeds)


@dataclass(frozen=True)
class Noise:
    """What chance does to the comparison.

    Parameters
    ----------
    splits : tuple of Split
        One a method.
    gap : ndarray, shape (n_methods, n_methods)
        The distance of two mean scores.
    seed_noise : ndarray, shape (n_methods, n_methods)
        Half width of the interval into which the seeds alone would put the gap of two mean scores in 95 of 100 studies; NaN with
        one seed.
    within : ndarray of bool, shape (n_methods, n_methods)
        Whether the gap is no larger than that.
    detectable_score, detectable_rank : float
        The difference of two mean scores, of two average ranks, that the test of a typical pair would detect with probability
        `POWER` after the correction; NaN with fewer than three datasets.
    """

    splits: tuple[Split, ...]
    gap: Floats = field(repr=False)
    seed_noise: Floats = field(repr=False)
    within: npt.NDArray[np.bool_] = field(repr=False)
    detectable_score: float
    detectable_rank: float

    @property
    def seeds_known(self) -> bool:
        """Whether there are several seeds, so that their noise can be told."""
        return bool(np.isfinite(self.seed_noise).any())

    def among(self, own: npt.NDArray[np.bool_]) -> Noise:
        """The same with unknown values in the places (n_methods,) that are not `own`."""
        place = np.flatnonzero(own)
        gap, seed_noise = np.full((2, len(own), len(own)), np.nan)
        within = np.zeros((len(own), len(own)), dtype=bool)
        for wide, narrow in ((gap, self.gap), (seed_noise, self.seed_noise), (within, self.within)):
            wide[np.ix_(place, place)] = narrow
        known = iter(self.splits)
        unknown = Split(np.nan, np.nan, np.nan)
        splits = tuple(next(known) if ours else unknown for ours in own)
        return Noise(splits, gap, seed_noise, within, self.detectable_score, self.detectable_rank)


def noise(results: Floats, ranks: Floats, alpha: float, n_pairs: int) -> Noise:
    """Variance split, seed noise of every gap, and smallest detectable differences.

    Parameters
    ----------
    results : ndarray, shape (n_datasets, n_methods, n_resamples, n_seeds)
        Complete.
    ranks : ndarray, shape (n_datasets, n_methods)
    alpha : float
        Family-wise; the detectable difference is that at alpha / n_pairs, the first step of Holm's correction.
    n_pairs : int
    """
    from scipy.special import stdtrit

    n_datasets, n_methods, n_resamples, n_seeds = results.shape
    half = np.full((n_methods, n_methods), np.nan)
    means = results.mean(axis=(0, 2, 3))
    gap = np.abs(means[:, None] - means[None, :])
    if n_seeds > 1:
        # of the differences, not of each method: methods that share networks share part of their noise
        centred = (results - results.mean(axis=3, keepdims=True)).transpose(1, 0, 2, 3).reshape(n_methods, -1)
        products = centred @ centred.T
        squares = np.diag(products)[:, None] + np.diag(products)[None, :] - 2 * products
        degrees = n_datasets * n_resamples * (n_seeds - 1)
        half = stdtrit(degrees, 0.975) * np.sqrt(np.maximum(squares, 0) / degrees / (n_datasets * n_resamples * n_seeds))
    return Noise(
        tuple(split(results[:, method]) for method in range(n_methods)),
        gap,
        half,
        np.isfinite(half) & (gap <= half) & ~np.eye(n_methods, dtype=bool),
        detectable(results.mean(axis=(2, 3)), alpha / n_pairs),
        detectable(ranks, alpha / n_pairs),
    )


def detectable(values: Floats, alpha: float, power: float = POWER) -> float:
    """The mean difference that a signed-rank test of a typical pair detects with probability `power`.

    (t(1 - alpha/2) + t(power)) · s / √n · √(π/3), where s is the median over the pairs of the standard deviation of their
    differences over the n datasets. Where only differences of one sign are significant, Φ⁻¹(power^(1/n)) · s if that is more; a few
    datasets above that, the formula's difference is found with a probability of 60 to 75 % instead of 80.

    Parameters
    ----------
    values : ndarray, shape (n_datasets, n_methods)
    alpha : float
        Of the single test.
    power : float

    Returns
    -------
    float
        NaN where no difference can be significant: even n differences of one sign have p = 2^(1 - n).
    """
    from scipy.special import ndtri, stdtrit

    n_datasets, n_methods = values.shape
    if n_datasets < 3 or 2.0 ** (1 - n_datasets) > alpha:
        return float("nan")
    first, second = np.triu_indices(n_methods, k=1)
    spread = np.median((values[:, first] - values[:, second]).std(axis=0, ddof=1))
    quantiles = stdtrit(n_datasets - 1, 1 - alpha / 2) + stdtrit(n_datasets - 1, power)
    size = float(quantiles * spread / np.sqrt(n_datasets) * _WILCOXON)
    if 2.0 ** (2 - n_datasets) > alpha:  # one difference of the other sign, the smallest, is too much
        size = max(size, float(ndtri(power ** (1 / n_datasets)) * spread))
    return size
