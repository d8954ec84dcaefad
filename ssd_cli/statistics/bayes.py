"""The Bayesian signed-rank test: the probability that a method is better, worse or practically the same on the next dataset."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ssd_cli.statistics.ranks import TIE, Floats

PRIOR = 0.5
"""Weight of the single pseudo-observation, whose difference is 0, as in baycomp."""
SAMPLES = 20_000
"""Number of posterior samples; the Monte-Carlo standard error of a probability is then below 0.004."""
_CHUNK = 2_000  # samples at a time: 2,000 x 400 datasets are 6 MB


class Posterior(NamedTuple):
    """Probabilities that the first method is worse by more than the rope, within the rope, or better by more than the rope."""

    worse: float
    same: float
    better: float


def signed_rank(differences: Floats, rope: float, n_samples: int = SAMPLES, seed: int = 0) -> Posterior:
    """Return the posterior under a Dirichlet-process prior (Benavoli et al. 2014; Benavoli et al. 2017, section 4.3).

    `differences` (n_datasets,) are first method minus second; `rope` is half the width of the region of practical equivalence, in
    the same unit. A probability is the share of the samples in which its region has the largest mass. Regions with equal masses
    share the sample, so that equal scores with a rope of 0 favour no method. NaN if there are no differences.
    """
    if not len(differences):
        return Posterior(np.nan, np.nan, np.nan)
    values = np.concatenate([[0.0], differences])
    sums = values[:, None] + values[None, :]
    above, below = _step(sums - 2 * rope), _step(-sums - 2 * rope)
    prior = np.ones(len(values))
    prior[0] = PRIOR
    rng = np.random.default_rng(seed)
    wins = np.zeros(3)
    for start in range(0, n_samples, _CHUNK):
        weights = rng.dirichlet(prior, min(_CHUNK, n_samples - start))
        better, worse = (((weights @ matrix) * weights).sum(axis=1) for matrix in (above, below))
        mass = np.stack([worse, 1 - better - worse, better], axis=1)
        largest = mass >= mass.max(axis=1, keepdims=True) - TIE
        wins += (largest / largest.sum(axis=1, keepdims=True)).sum(axis=0)
    return Posterior(*(wins / n_samples).tolist())


def _step(x: Floats) -> Floats:
    """Return 1 above zero and a half at zero; accuracies are ratios of counts, so sums at the edge of the rope are common."""
    return np.heaviside(np.where(np.abs(x) <= TIE, 0.0, x), 0.5)
