"""Variance components of the scores, noise between seeds, and the smallest detectable difference.

Results have shape (n_datasets, n_methods, n_resamples, n_seeds).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ssd_cli.statistics.ranks import Floats

POWER = 0.8
_WILCOXON = np.sqrt(np.pi / 3)
"""The signed-rank test needs π/3 times the datasets of the t-test for normal differences (Pitman efficiency 3/π)."""


class Split(NamedTuple):
    """Variance components; NaN with one resample or one seed, where the component is part of the next larger one."""

    datasets: float
    resamples: float
    seeds: float


def split(results: Floats) -> Split:
    """Return the variance components of one method by analysis of variance: seeds nested in resamples nested in datasets.

    `results` (n_datasets, n_resamples, n_seeds) is complete. The estimates are computed from the mean squares (Searle, Casella and
    McCulloch 1992, section 3.6), and negative ones are set to 0. If none is negative, they equal the restricted maximum likelihood.
    """
    n_datasets, n_resamples, n_seeds = results.shape
    of_resamples, of_datasets = results.mean(axis=2), results.mean(axis=(1, 2))
    seeds = resamples = datasets = np.nan
    below = 0.0  # mean square of the next lower level, per mean of this level
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
class Variability:
    """Effect of random variation on the comparison; `splits` has one entry per method, matrices are (n_methods, n_methods)."""

    splits: tuple[Split, ...]
    gap: Floats = field(repr=False)
    """Absolute difference of two mean scores."""
    seed_noise: Floats = field(repr=False)
    """Half width of the 95 % interval of the gap if only the seeds vary; NaN with one seed."""
    within: npt.NDArray[np.bool_] = field(repr=False)
    """Whether the gap is at most the seed noise."""
    detectable_score: float
    """Difference of two mean scores that the test of a typical pair detects with probability `POWER` after the correction; NaN with
    fewer than three datasets."""
    detectable_rank: float
    """The detectable difference of two average ranks."""

    @property
    def seeds_known(self) -> bool:
        """Whether seed noise is known, which needs several seeds."""
        return bool(np.isfinite(self.seed_noise).any())

    def among(self, own: npt.NDArray[np.bool_]) -> Variability:
        """Return the same with NaN for the methods that are not `own` (n_methods,)."""
        place = np.flatnonzero(own)
        gap, seed_noise = np.full((2, len(own), len(own)), np.nan)
        within = np.zeros((len(own), len(own)), dtype=bool)
        for wide, narrow in ((gap, self.gap), (seed_noise, self.seed_noise), (within, self.within)):
            wide[np.ix_(place, place)] = narrow
        known = iter(self.splits)
        unknown = Split(np.nan, np.nan, np.nan)
        splits = tuple(next(known) if ours else unknown for ours in own)
        return Variability(splits, gap, seed_noise, within, self.detectable_score, self.detectable_rank)


def noise(results: Floats, ranks: Floats, alpha: float, n_pairs: int) -> Variability:
    """Return variance components, seed noise of every gap, and smallest detectable differences.

    `results` (n_datasets, n_methods, n_resamples, n_seeds) is complete; `ranks` has shape (n_datasets, n_methods). Differences are
    detectable at alpha / n_pairs, the first step of Holm's correction.
    """
    from scipy.special import stdtrit

    n_datasets, n_methods, n_resamples, n_seeds = results.shape
    half = np.full((n_methods, n_methods), np.nan)
    means = results.mean(axis=(0, 2, 3))
    gap = np.abs(means[:, None] - means[None, :])
    if n_seeds > 1:
        # estimated from differences, since methods that share networks share part of their noise
        centred = (results - results.mean(axis=3, keepdims=True)).transpose(1, 0, 2, 3).reshape(n_methods, -1)
        products = centred @ centred.T
        squares = np.diag(products)[:, None] + np.diag(products)[None, :] - 2 * products
        degrees = n_datasets * n_resamples * (n_seeds - 1)
        half = stdtrit(degrees, 0.975) * np.sqrt(np.maximum(squares, 0) / degrees / (n_datasets * n_resamples * n_seeds))
    return Variability(
        tuple(split(results[:, method]) for method in range(n_methods)),
        gap,
        half,
        np.isfinite(half) & (gap <= half) & ~np.eye(n_methods, dtype=bool),
        detectable(results.mean(axis=(2, 3)), alpha / n_pairs),
        detectable(ranks, alpha / n_pairs),
    )


def detectable(values: Floats, alpha: float, power: float = POWER) -> float:
    """Return the mean difference that a signed-rank test at `alpha` of a typical pair detects with probability `power`.

    It is (t(1 - alpha/2) + t(power)) · s / √n · √(π/3), where s is the median over the pairs of the standard deviation of their
    differences over the n datasets. If only differences of one sign can be significant, it is at least Φ⁻¹(power^(1/n)) · s. With
    a few more datasets the power of the result is 60 to 75 % instead of 80. NaN if no difference can be significant: n differences
    of one sign have p = 2^(1 - n). `values` has shape (n_datasets, n_methods).
    """
    from scipy.special import ndtri, stdtrit

    n_datasets, n_methods = values.shape
    if n_datasets < 3 or 2.0 ** (1 - n_datasets) > alpha:
        return float("nan")
    first, second = np.triu_indices(n_methods, k=1)
    spread = np.median((values[:, first] - values[:, second]).std(axis=0, ddof=1))
    quantiles = stdtrit(n_datasets - 1, 1 - alpha / 2) + stdtrit(n_datasets - 1, power)
    size = float(quantiles * spread / np.sqrt(n_datasets) * _WILCOXON)
    if 2.0 ** (2 - n_datasets) > alpha:  # not significant if the smallest difference has the other sign
        size = max(size, float(ndtri(power ** (1 / n_datasets)) * spread))
    return size
