"""What a comparison holds: everything that tables and figures show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.missing import Missing
from ssd_cli.leaderboard.summary import Row, Summary
from ssd_cli.metrics import MATCHED_RANK
from ssd_cli.statistics.bayes import Posterior
from ssd_cli.statistics.cliques import RULE, letters, unjoined
from ssd_cli.statistics.conventions import DEFAULT
from ssd_cli.statistics.effects import Effects
from ssd_cli.statistics.ranks import Contests
from ssd_cli.statistics.tests import Friedman, PairwiseTests
from ssd_cli.statistics.variance import Noise

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Everything that tables and figures show. Methods stand in the order of their average ranks, best first.

    Parameters
    ----------
    rows : tuple of Row
    datasets : tuple of str
        Those that are ranked, sorted.
    scores : ndarray, shape (n_datasets, n_methods)
        Mean accuracy over resamples and seeds; NaN where it is missing under the policy worst-rank.
    ranks : ndarray, shape (n_datasets, n_methods)
    contests : Contests
    friedman : Friedman or None
    tests : PairwiseTests
    alpha : float
    resamples, seeds : tuple of int
    n_results : int
        Results behind each score: the pairs of resample and seed.
    policy : str
    missing : tuple of Missing
    left_out : tuple of str
        Datasets that the policy left out.
    warnings : tuple of str
    sources : tuple of str
        Of the results that are not our own: name, protocol, where they stand.
    notes : tuple of str
        Sentences for the caption: conditions that differ, and numbers that were added, such as those of exported files.
    selection : str
        Options that chose among the results, see `Selection`; empty: all.
    convention : str
        By whose rules the pairs were judged; see `CONVENTIONS`.
    cliques : tuple of (int, int)
        First and last method of each group that the tests cannot tell apart.
    test, rule : str
        Sentences of a convention that is not ours, and what a bar means.
    effects : Effects
    summary : Summary
        Other scores, costs, distillation.
    noise : Noise or None
        None where no dataset is complete.
    rope : float or None
    posteriors : dict of (int, int) to Posterior
        Of every pair, where a rope was given.
    """

    rows: tuple[Row, ...]
    datasets: tuple[str, ...]
    scores: Floats = field(repr=False)
    ranks: Floats = field(repr=False)
    contests: Contests = field(repr=False)
    friedman: Friedman | None
    tests: PairwiseTests = field(repr=False)
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
    convention: str = DEFAULT
    cliques: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    test: str = ""
    rule: str = RULE
    effects: Effects = field(kw_only=True, repr=False)
    summary: Summary = field(kw_only=True, repr=False)
    noise: Noise | None = field(default=None, repr=False)
    rope: float | None = None
    posteriors: dict[tuple[int, int], Posterior] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """Names of the methods, best first."""
        return [row.name for row in self.rows]

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
        """Number of datasets each mean stands on, shape (n_methods,)."""
        return np.isfinite(self.scores).sum(axis=0)

    @property
    def matched_backbones(self) -> list[str]:
        """Backbones whose methods are ranked at matched cost of inference, each by itself."""
        ranked = np.isfinite(self.summary.values[MATCHED_RANK])
        return sorted({one.backbone for one, there in zip(self.rows, ranked, strict=True) if there})

    @property
    def complete_datasets(self) -> list[str]:
        """Datasets on which every method has a score."""
        return [name for name, scores in zip(self.datasets, self.scores, strict=True) if np.isfinite(scores).all()]

    @property
    def letters(self) -> list[str]:
        """The cliques of each method as letters."""
        return letters(list(self.cliques), len(self.rows))

    @property
    def unjoined(self) -> list[tuple[int, int]]:
        """Pairs that do not differ although no clique holds both."""
        return unjoined(self.tests.different, list(self.cliques))
