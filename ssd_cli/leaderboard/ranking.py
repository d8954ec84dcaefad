"""The ranked scores of cells: means, missing results, the order of the methods, seed noise."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.catalog import size
from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.external.result import External
from ssd_cli.leaderboard.missing import Grid, Missing, describe_grid, find_missing, refusal, worst_filled
from ssd_cli.metrics import RANKED
from ssd_cli.statistics.ranks import rank_scores
from ssd_cli.statistics.rounding import EXACT, comparable
from ssd_cli.statistics.variance import Variability, noise

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Grouped:
    """Finished cells of some datasets (the rows) and methods (the columns).

    `row` and `column`, both (n_cells,), are the dataset and the method of each of the `cells`; `counts` (n_datasets, n_methods)
    are the numbers of cells.
    """

    def __init__(self, frame: pd.DataFrame, names: list[str], datasets: list[str]) -> None:
        import pandas as pd

        done = frame[(frame["status"] == "ok") & frame["dataset"].isin(datasets) & frame["name"].isin(names)]
        self.cells, self._shape = done, (len(datasets), len(names))
        self.row: Ints = pd.Categorical(done["dataset"], categories=datasets).codes.astype(np.int64)
        self.column: Ints = pd.Categorical(done["name"], categories=names).codes.astype(np.int64)
        self._place = self.row * len(names) + self.column
        self.counts: Ints = np.bincount(self._place, minlength=len(datasets) * len(names)).reshape(self._shape)

    def mean(self, column: str) -> Floats:
        """Return means over resamples and seeds (n_datasets, n_methods); NaN without cells, or if a cell lacks the value."""
        totals = np.bincount(self._place, weights=self.cells[column], minlength=self.counts.size).reshape(self._shape)
        return np.divide(totals, self.counts, out=np.full(self._shape, np.nan), where=self.counts > 0)


@dataclass(frozen=True)
class Ranking:
    """The ranked and tested scores, with the methods ordered by average rank, then mean score, then name.

    `scores` (n_datasets, n_methods) are mean accuracies, NaN if missing. `compared` are the same in the form of
    `statistics.rounding.comparable`. In `filled` their missing scores are below all others. `left_out` are the datasets that the
    policy left out.
    """

    names: list[str]
    datasets: list[str]
    left_out: list[str]
    scores: Floats
    compared: Floats
    filled: Floats
    missing: list[Missing]


def grid_of(frame: pd.DataFrame) -> Grid:
    """Return the pairs of resample and seed of the cells."""
    return set(zip(frame["resample"].tolist(), frame["seed"].tolist(), strict=True))


def rank_methods(frame: pd.DataFrame, externals: list[External], datasets: list[str], policy: str) -> Ranking:
    """Average over resamples and seeds, apply a policy of `POLICIES`, and order the methods.

    Missing results under the policy "fail", or a policy that leaves no dataset, raise an SsdBenchError.
    """
    grid, names = grid_of(frame), sorted(frame["name"].unique())
    grouped = Grouped(frame, names, datasets)
    lacking = find_missing(frame, names, datasets, grouped.counts, len(grid))
    own = np.where(grouped.counts == len(grid), grouped.mean(RANKED), np.nan)
    theirs = np.array([[one.scores.get(dataset, np.nan) for dataset in datasets] for one in externals], dtype=np.float64)
    scores = np.hstack([own, theirs.reshape(len(externals), len(datasets)).T])
    names, lacking = [*names, *(one.name for one in externals)], [*lacking, *_lacking(externals, datasets)]
    if lacking and policy == "fail":
        raise refusal(lacking, grid)
    lacks = np.isnan(scores)
    out = np.atleast_1d(lacks.any(axis=1) if policy == "complete" else lacks.all(axis=1))
    if out.all():
        raise SsdBenchError(
            f"No dataset is left: not one has all {len(grid)} results of {'every' if policy == 'complete' else 'any'} method.",
            f"Expected {describe_grid(grid)} of every method on the same datasets.",
            "Complete the results with 'ssd-bench run', or compare folders with the same resamples and seeds.",
        )
    kept, left_out = ([dataset for dataset, gone in zip(datasets, out, strict=True) if gone == wanted] for wanted in (False, True))
    scores = scores[~out]
    compared = comparable(scores, _decimals(len(names) - len(externals), externals), n_test(kept))
    filled = worst_filled(compared)
    average, mean = (values.round(9).tolist() for values in (rank_scores(filled).mean(axis=0), filled.mean(axis=0)))
    order = sorted(range(len(names)), key=lambda i: (average[i], -mean[i], names[i]))
    names = [names[i] for i in order]
    return Ranking(names, kept, left_out, scores[:, order], compared[:, order], filled[:, order], lacking)


def n_test(datasets: list[str]) -> Ints:
    """Return the numbers of test cases (n_datasets,) that the catalogue has; 0 where it has none."""
    return np.array([(found.n_test or 0) if (found := size(dataset)) else 0 for dataset in datasets], dtype=np.int64)


def _decimals(n_own: int, externals: list[External]) -> Ints:
    return np.array([EXACT] * n_own + [one.decimals for one in externals], dtype=np.int64)


def _lacking(externals: list[External], datasets: list[str]) -> list[Missing]:
    """List the datasets that external results lack; the reason mentions a similar name in the source, perhaps a misspelling."""
    found = []
    for one in externals:
        for dataset in datasets:
            if dataset not in one.scores:
                near = get_close_matches(dataset, one.scores.keys() - set(datasets), n=1, cutoff=0.85)
                reason = f"no number in its source ({one.kind})" + (f"; it has '{near[0]}'" if near else "")
                found.append(Missing(dataset, one.name, 0, (one.gaps.get(dataset) or reason,)))
    return found


def seed_noise(
    frame: pd.DataFrame, names: list[str], datasets: list[str], grid: Grid, ranks: Floats, alpha: float
) -> Variability | None:
    """Return variance components, seed noise and detectable differences on the complete datasets; None if there are none.

    External results are ignored, since their single results are unknown. Unless every resample has every seed, each pair of `grid`
    is treated as another resample, and seed noise is unknown. `ranks` has the datasets as rows and the names as columns.
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
    """Return accuracies of shape (n_datasets, n_methods, n_resamples, n_seeds), NaN if missing."""
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
