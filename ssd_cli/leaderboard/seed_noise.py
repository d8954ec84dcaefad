"""The single results behind the means, and how much of the spread comes from seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.ranking import Grouped
from ssd_cli.statistics.variance import Variability, noise

if TYPE_CHECKING:
    import pandas as pd

    from ssd_cli.leaderboard.missing import Grid

Floats = npt.NDArray[np.float64]


def seed_noise(
    frame: pd.DataFrame, names: list[str], datasets: list[str], grid: Grid, ranks: Floats, alpha: float
) -> Variability | None:
    """Return variance components, seed noise and detectable differences on the complete datasets; None without one.

    External results are ignored, since their single results are unknown. Unless every resample has every seed, each pair of `grid`
    counts as another resample and seed noise is unknown. `ranks` has the datasets as rows and the names as columns.
    """
    own = np.array([name in set(frame["name"]) for name in names])
    if own.sum() < 2:
        return None
    results = single_results(frame, [name for name, ours in zip(names, own, strict=True) if ours], datasets, grid)
    complete = np.isfinite(results).all(axis=(1, 2, 3))
    if not complete.any():
        return None
    found = noise(results[complete], ranks[complete][:, own], alpha, len(names) * (len(names) - 1) // 2)
    return found if own.all() else found.among(own)


def single_results(frame: pd.DataFrame, names: list[str], datasets: list[str], grid: Grid) -> Floats:
    """Return accuracies of shape (n_datasets, n_methods, n_resamples, n_seeds), NaN where missing."""
    resamples, seeds = (sorted({pair[axis] for pair in grid}) for axis in (0, 1))
    grouped = Grouped(frame, names, datasets)
    done = grouped.cells
    if len(resamples) * len(seeds) == len(grid):
        results = np.full((len(datasets), len(names), len(resamples), len(seeds)), np.nan)
        where = (np.searchsorted(resamples, done["resample"]), np.searchsorted(seeds, done["seed"]))
    else:
        places = {pair: place for place, pair in enumerate(sorted(grid))}
        results = np.full((len(datasets), len(names), len(grid), 1), np.nan)
        pairs = zip(done["resample"].tolist(), done["seed"].tolist(), strict=True)
        where = (np.array([places[pair] for pair in pairs], dtype=np.int64), np.zeros(len(done), dtype=np.int64))
    results[grouped.row, grouped.column, where[0], where[1]] = done["accuracy"]
    return results
