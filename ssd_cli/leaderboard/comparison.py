"""The result of a comparison, which tables and figures show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.missing import Missing
from ssd_cli.leaderboard.summary import Row, Summary
from ssd_cli.metrics import MATCHED_RANK
from ssd_cli.statistics.bayes import Posterior
from ssd_cli.statistics.cliques import letters, unjoined
from ssd_cli.statistics.effects import Effects
from ssd_cli.statistics.friedman import Friedman
from ssd_cli.statistics.pairs import PairwiseTests, Verdicts
from ssd_cli.statistics.ranks import Contests
from ssd_cli.statistics.tests import DEFAULT
from ssd_cli.statistics.variance import Variability

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that tables and figures show. Methods are in the order of their average ranks, best first.

    Parameters
    ----------
    scores, ranks : ndarray, shape (n_datasets, n_methods)
        Mean accuracy over resamples and seeds, NaN where missing under the policy worst-rank; its ranks.
    test : str
        Name of the test that gave the verdicts.
    n_results : int
        Results behind each score: the pairs of resample and seed.
    left_out : tuple of str
        Datasets that the policy left out.
    sources : tuple of str
        Name, protocol and source of each external result.
    notes : tuple of str
        Sentences for the caption: conditions that differ, and added numbers, such as those of exported models.
    selection : str
        Options that selected results, see `Selection`; empty: all.
    noise : Variability or None
        None where no dataset is complete.
    posteriors : dict of (int, int) to Posterior
        Of every pair, if a rope was given.
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
        """First and last method of each group that does not differ."""
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
        """Pairs that do not differ and are in no common group."""
        return unjoined(self.tests.different, self.cliques)
