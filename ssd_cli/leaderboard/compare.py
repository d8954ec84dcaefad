"""The comparison, which tables and figures show: ranks, tests, effect sizes, metrics and seed noise of all methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.errors import MisuseError, SsdBenchError, shortened
from ssd_cli.leaderboard.collect import Cells, Selection, collect, no_cells
from ssd_cli.leaderboard.conditions import warnings as misleading
from ssd_cli.leaderboard.external.result import External, check_names, doubts_and_notes, matched, protocol_warnings, rounding_note
from ssd_cli.leaderboard.external.sources import NONE, ExternalSources
from ssd_cli.leaderboard.missing import POLICIES, Missing
from ssd_cli.leaderboard.ranking import grid_of, rank_methods, seed_noise
from ssd_cli.leaderboard.summary import Row, Summary, summarise
from ssd_cli.metrics import MATCHED_RANK
from ssd_cli.statistics.bayes import Posterior, signed_rank
from ssd_cli.statistics.cliques import letters, unjoined
from ssd_cli.statistics.effects import Effects, effects
from ssd_cli.statistics.friedman import Friedman, friedman
from ssd_cli.statistics.pairs import PairwiseTests, Verdicts
from ssd_cli.statistics.ranks import Contests, contests, rank_scores
from ssd_cli.statistics.tests import DEFAULT, judge, names
from ssd_cli.statistics.variance import Variability

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
EVERYTHING = Selection()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The content of all tables and figures. Methods are in the order of their average ranks, best first.

    Parameters
    ----------
    scores, ranks : ndarray, shape (n_datasets, n_methods)
        Mean accuracy over resamples and seeds (NaN if missing under the policy worst-rank), and the ranks.
    n_results : int
        Number of results in each score, one per pair of resample and seed.
    left_out : tuple of str
        Datasets that the policy left out.
    sources, notes : tuple of str
        Protocol and source of each external result; further sentences for the caption.
    selection : str
        Options that selected the results, see `Selection`; empty if all results are compared.
    noise : Variability or None
        None if no dataset is complete.
    """

    rows: tuple[Row, ...]
    datasets: tuple[str, ...]
    scores: Floats = field(repr=False)
    ranks: Floats = field(repr=False)
    contests: Contests = field(repr=False)
    friedman: Friedman | None
    verdicts: Verdicts = field(repr=False)
    test: str = DEFAULT
    alpha: float
    resamples: tuple[int, ...]
    seeds: tuple[int, ...]
    n_results: int
    policy: str
    missing: tuple[Missing, ...] = ()
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    selection: str = ""
    effects: Effects = field(repr=False)
    summary: Summary = field(repr=False)
    noise: Variability | None = field(default=None, repr=False)
    rope: float | None = None
    posteriors: dict[tuple[int, int], Posterior] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """Names of the methods, best first."""
        return [row.name for row in self.rows]

    @property
    def tests(self) -> PairwiseTests:
        """P-values and decisions for all pairs."""
        return self.verdicts.tests

    @property
    def cliques(self) -> list[tuple[int, int]]:
        """First and last method of each group without significant differences."""
        return self.verdicts.groups

    @property
    def average_ranks(self) -> Floats:
        """Shape (n_methods,)."""
        return self.ranks.mean(axis=0)

    @property
    def mean_scores(self) -> Floats:
        """Mean over the datasets on which the method has a score; NaN if there is none. Shape (n_methods,)."""
        total = np.nansum(self.scores, axis=0)
        return np.divide(total, self.n_scores, out=np.full(len(total), np.nan), where=self.n_scores > 0)

    @property
    def n_scores(self) -> npt.NDArray[np.int64]:
        """Number of datasets in each mean, shape (n_methods,)."""
        return np.isfinite(self.scores).sum(axis=0)

    @property
    def matched_backbones(self) -> list[str]:
        """Backbones whose methods are ranked at matched inference cost."""
        ranked = np.isfinite(self.summary.values[MATCHED_RANK])
        return sorted({one.backbone for one, there in zip(self.rows, ranked, strict=True) if there})

    @property
    def complete_datasets(self) -> list[str]:
        """Datasets on which every method has a score."""
        return [name for name, scores in zip(self.datasets, self.scores, strict=True) if np.isfinite(scores).all()]

    @property
    def letters(self) -> list[str]:
        """The groups of each method as letters."""
        return letters(self.cliques, len(self.rows))

    @property
    def unjoined(self) -> list[tuple[int, int]]:
        """Pairs that do not differ significantly but are in no common group."""
        return unjoined(self.tests.different, self.cliques)


def compare(
    folders: list[Path],
    missing: str = "fail",
    alpha: float = 0.05,
    on_reading: Callable[[int], None] | None = None,
    *,
    test: str = DEFAULT,
    rope: float | None = None,
    externals: ExternalSources = NONE,
    selection: Selection = EVERYTHING,
) -> Comparison:
    """Compare all methods whose results are in the output folders of ``ssd-bench run``.

    `missing` is one of `POLICIES`, `alpha` the family-wise error rate of all pairwise tests, and `test` one of
    `ssd_cli.statistics.tests`. `on_reading` receives the number of new or changed records before they are read. `rope` adds the
    Bayesian signed-rank test: half the width of the region of practical equivalence, in accuracy.

    Raises
    ------
    SsdBenchError
        There are no results, results cannot be compared, or numbers of results differ under the policy "fail".
    """
    _check_options(missing, alpha, test, rope)
    cells = collect(folders, on_reading) if folders or not externals else no_cells()
    return compare_cells(cells, missing, alpha, test, rope, externals, selection)


def compare_cells(
    cells: Cells,
    missing: str = "fail",
    alpha: float = 0.05,
    test: str = DEFAULT,
    rope: float | None = None,
    externals: ExternalSources = NONE,
    selection: Selection = EVERYTHING,
) -> Comparison:
    """Compare cells that are already read; parameters and errors are those of `compare`."""
    _check_options(missing, alpha, test, rope)
    everything, cells = cells, selection.of(cells) if selection else cells
    frame, grid = cells.frame, grid_of(cells.frame)
    resamples, seeds = (sorted({pair[axis] for pair in grid}) for axis in (0, 1))
    others = externals.read(resamples)
    datasets = sorted(frame["dataset"].unique()) or selection.datasets_of(name for one in others for name in one.scores)
    others, renamed = matched(others, datasets)
    _check_methods(sorted(frame["name"].unique()), others)
    ranking = rank_methods(frame, others, datasets, missing)
    rows, scores = _rows(frame, ranking.names, others), ranking.scores
    ranks = rank_scores(ranking.filled)
    return Comparison(
        rows=tuple(rows),
        datasets=tuple(ranking.datasets),
        scores=scores,
        ranks=ranks,
        contests=contests(ranking.filled),
        friedman=friedman(ranking.filled),
        verdicts=judge(ranking.filled, test, alpha),
        test=test,
        alpha=alpha,
        resamples=tuple(resamples),
        seeds=tuple(seeds),
        n_results=max(1, len(grid)),
        policy=missing,
        missing=tuple(ranking.missing),
        left_out=tuple(ranking.left_out),
        warnings=(
            *cells.warnings,
            *renamed,
            *protocol_warnings(others, set(resamples)),
            *doubts_and_notes(others, ranking.datasets),
        ),
        sources=tuple(f"{one.name}: {one.protocol.text}; {one.source}" for one in others),
        notes=(*_chosen(selection, everything, cells), *misleading(frame), *rounding_note(others)),
        selection=selection.text,
        effects=effects(scores)._replace(rank_biserial=effects(ranking.compared).rank_biserial),
        summary=summarise(frame, rows, ranking.datasets, scores),
        noise=seed_noise(frame, ranking.names, ranking.datasets, grid, ranks, alpha),
        rope=rope,
        posteriors={} if rope is None else _posteriors(ranking.compared, rope),
    )


def _check_options(missing: str, alpha: float, test: str, rope: float | None) -> None:
    if test not in names():
        raise MisuseError(f"Unknown test '{test}'.", f"Expected one of {', '.join(names())}.")
    if rope is not None and not 0 <= rope < 1:
        raise MisuseError(f"The rope cannot be {rope:g}.", "Expected a difference of accuracies, such as 0.01.")
    if missing not in POLICIES:
        raise MisuseError(f"Unknown policy '{missing}' for missing results.", f"Expected one of {', '.join(POLICIES)}.")
    if not 0 < alpha < 1:
        raise MisuseError(f"alpha cannot be {alpha:g}.", "Expected a number above 0 and below 1, such as 0.05.")


def _check_methods(own: list[str], others: list[External]) -> None:
    check_names(others, own)
    if len(own) + len(others) < 2:
        raise SsdBenchError(
            f"There are results of fewer than two methods: {(own or [one.name for one in others] or ['none'])[0]}.",
            "Expected at least two methods to compare.",
            "Add results with: ssd-bench run --method …",
        )


def _rows(frame: pd.DataFrame, ordered: list[str], others: list[External]) -> list[Row]:
    first = frame.drop_duplicates("name")[["name", "method", "backbone", "recipe"]]
    known = {row[0]: Row(*row) for row in first.to_numpy().tolist()}
    known |= {one.name: Row(one.name, one.label, one.kind, one.protocol.text) for one in others}
    return [known[name] for name in ordered]


def _chosen(selection: Selection, everything: Cells, cells: Cells) -> list[str]:
    left_out = [
        f"{column}s {shortened(gone)}"
        for column, key in (("method", "name"), ("dataset", "dataset"))
        if (gone := sorted(set(everything.frame[key]) - set(cells.frame[key])))
    ]
    return [f"Chosen by {selection.text}; left out: {'; '.join(left_out) or 'nothing'}."] if selection else []


def _posteriors(scores: Floats, rope: float) -> dict[tuple[int, int], Posterior]:
    """Apply the Bayesian test to every pair, on the datasets on which both methods have a score."""
    pairs = list(zip(*(part.tolist() for part in np.triu_indices(scores.shape[1], k=1)), strict=True))
    differences = {(i, j): scores[:, i] - scores[:, j] for i, j in pairs}
    return {pair: signed_rank(values[np.isfinite(values)], rope) for pair, values in differences.items()}
