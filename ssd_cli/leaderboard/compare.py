"""The comparison itself: average seeds and resamples, apply the policy for missing results, rank, test, group."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.errors import MisuseError, SsdBenchError, shortened
from ssd_cli.leaderboard.collect import Cells, collect, no_cells
from ssd_cli.leaderboard.comparison import Comparison, Floats
from ssd_cli.leaderboard.conditions import warnings as differing_conditions
from ssd_cli.leaderboard.external import External, Externals, check_names, matched, protocol_warnings
from ssd_cli.leaderboard.means import Grouped
from ssd_cli.leaderboard.missing import POLICIES, Missing, describe_grid, find_missing, refusal, worst_filled
from ssd_cli.leaderboard.seed_noise import seed_noise
from ssd_cli.leaderboard.selection import Selection
from ssd_cli.leaderboard.summary import Row, summarise
from ssd_cli.statistics.bayes import Posterior, signed_rank
from ssd_cli.statistics.conventions import CONVENTIONS, DEFAULT, judge
from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.ranks import contests, rank_scores
from ssd_cli.statistics.tests import friedman

if TYPE_CHECKING:
    import pandas as pd

EVERYTHING = Selection()


def compare(
    folders: list[Path],
    missing: str = "fail",
    alpha: float = 0.05,
    on_reading: Callable[[int], None] | None = None,
    *,
    convention: str = DEFAULT,
    rope: float | None = None,
    externals: Externals | None = None,
    selection: Selection = EVERYTHING,
) -> Comparison:
    """Compare all methods whose results lie in the folders.

    Parameters
    ----------
    folders : list of Path
        Output folders of ``ssd-bench run``.
    missing : {"fail", "complete", "worst-rank"}
        What to do where a method lacks results on a dataset; see `POLICIES`.
    alpha : float
        Family-wise error rate of all pairwise tests.
    on_reading : callable, optional
        Told how many new or changed records are about to be read.
    convention : str
        By whose rules pairs are judged and joined; see `CONVENTIONS`.
    rope : float, optional
        Half the width of the region of practical equivalence, in accuracy; adds the Bayesian signed-rank test.
    externals : callable, optional
        From the resamples of the own results to the results of others that stand beside them.
    selection : Selection, optional
        Which of the own results are compared; all by default.

    Raises
    ------
    SsdBenchError
        Nothing to compare, results that cannot be compared, or unequal numbers of results under the policy "fail".
    """
    _check_options(missing, alpha, convention, rope)
    cells = collect(folders, on_reading) if folders or externals is None else no_cells()
    return compare_cells(cells, missing, alpha, convention, rope, externals, selection)


def compare_cells(
    cells: Cells,
    missing: str = "fail",
    alpha: float = 0.05,
    convention: str = DEFAULT,
    rope: float | None = None,
    externals: Externals | None = None,
    selection: Selection = EVERYTHING,
) -> Comparison:
    """Compare cells that are read already; parameters and errors as of `compare`."""
    _check_options(missing, alpha, convention, rope)
    everything, cells = cells, selection.of(cells) if selection else cells
    frame = cells.frame
    grid = set(zip(frame["resample"].tolist(), frame["seed"].tolist(), strict=True))
    names, datasets = sorted(frame["name"].unique()), sorted(frame["dataset"].unique())
    others = externals({resample for resample, _ in grid}) if externals is not None else []
    datasets = datasets or selection.datasets_of(dataset for one in others for dataset in one.scores)
    others, renamed = matched(others, datasets)
    check_names(others, names)
    if len(names) + len(others) < 2:
        raise SsdBenchError(
            f"There are results of one method only: {(names or [one.name for one in others] or ['none'])[0]}.",
            "Expected at least two methods to compare.",
            "Add results with: ssd-bench run --method …",
        )
    grouped = Grouped(frame, names, datasets)
    lacking = find_missing(frame, names, datasets, grouped.counts, len(grid))
    scores = np.where(grouped.counts == len(grid), grouped.mean("accuracy"), np.nan)
    scores, absent = _beside(scores, others, datasets)
    names, lacking = [*names, *(one.name for one in others)], [*lacking, *absent]
    if lacking and missing == "fail":
        raise refusal(lacking, grid)
    lacks = np.isnan(scores)
    out = np.atleast_1d(lacks.any(axis=1) if missing == "complete" else lacks.all(axis=1))
    if out.all():
        raise SsdBenchError(
            f"No dataset is left: not one has all {len(grid)} results of {'every' if missing == 'complete' else 'any'} method.",
            f"Expected {describe_grid(grid)} of every method on the same datasets.",
            "Complete the results with 'ssd-bench run', or compare folders with the same resamples and seeds.",
        )
    scores = scores[~out]
    filled = worst_filled(scores)
    order = _ranking(filled, names)
    filled, scores = filled[:, order], scores[:, order]
    names, kept = [names[i] for i in order], [datasets[i] for i in np.flatnonzero(~out)]
    rows = _rows(frame, names, others)
    ranks, verdicts = rank_scores(filled), judge(filled, convention, alpha)
    return Comparison(
        rows=tuple(rows),
        datasets=tuple(kept),
        scores=scores,
        ranks=ranks,
        contests=contests(filled),
        friedman=friedman(filled),
        tests=verdicts.tests,
        alpha=alpha,
        resamples=tuple(sorted({resample for resample, _ in grid})),
        seeds=tuple(sorted({seed for _, seed in grid})),
        n_results=max(1, len(grid)),
        policy=missing,
        missing=tuple(lacking),
        left_out=tuple(datasets[i] for i in np.flatnonzero(out)),
        warnings=(*cells.warnings, *renamed, *protocol_warnings(others, {resample for resample, _ in grid})),
        sources=tuple(f"{one.name}: {one.protocol.text}; {one.source}" for one in others),
        notes=(*_chosen(selection, everything, cells), *differing_conditions(frame)),
        selection=selection.text,
        convention=convention,
        cliques=tuple(verdicts.groups),
        test=verdicts.test,
        rule=verdicts.rule,
        effects=effects(scores),
        summary=summarise(frame, rows, kept, scores),
        noise=seed_noise(frame, names, kept, grid, ranks, alpha),
        rope=rope,
        posteriors={} if rope is None else _posteriors(scores, rope),
    )


def _chosen(selection: Selection, everything: Cells, cells: Cells) -> list[str]:
    """What a selection left out: a table of chosen methods must not pass for that of all."""
    left_out = [
        f"{column}s {shortened(gone)}"
        for column, key in (("method", "name"), ("dataset", "dataset"))
        if (gone := sorted(set(everything.frame[key]) - set(cells.frame[key])))
    ]
    return [f"Chosen by {selection.text}; left out: {'; '.join(left_out) or 'nothing'}."] if selection else []


def _posteriors(scores: Floats, rope: float) -> dict[tuple[int, int], Posterior]:
    """On the datasets on which both methods have a score."""
    pairs = [(i, j) for i in range(scores.shape[1]) for j in range(i + 1, scores.shape[1])]
    differences = {(i, j): scores[:, i] - scores[:, j] for i, j in pairs}
    return {pair: signed_rank(values[np.isfinite(values)], rope) for pair, values in differences.items()}


def _check_options(missing: str, alpha: float, convention: str, rope: float | None) -> None:
    if convention not in CONVENTIONS:
        raise MisuseError(f"Unknown convention '{convention}'.", f"Expected one of {', '.join(CONVENTIONS)}.")
    if rope is not None and not 0 <= rope < 1:
        raise MisuseError(f"The rope cannot be {rope:g}.", "Expected a difference of accuracies, such as 0.01.")
    if missing not in POLICIES:
        raise MisuseError(f"Unknown policy '{missing}' for missing results.", f"Expected one of {', '.join(POLICIES)}.")
    if not 0 < alpha < 1:
        raise MisuseError(f"alpha cannot be {alpha:g}.", "Expected a number above 0 and below 1, such as 0.05.")


def _ranking(filled: Floats, names: list[str]) -> list[int]:
    """The methods by average rank, then mean score, then name."""
    average = rank_scores(filled).mean(axis=0).round(9).tolist()
    mean = filled.mean(axis=0).round(9).tolist()
    return sorted(range(len(names)), key=lambda i: (average[i], -mean[i], names[i]))


def _beside(scores: Floats, others: list[External], datasets: list[str]) -> tuple[Floats, list[Missing]]:
    """The scores with a column for each contestant from elsewhere, and what those lack."""
    columns = [[one.scores.get(dataset, np.nan) for dataset in datasets] for one in others]
    missing = [
        Missing(dataset, one.name, 0, (one.gaps.get(dataset) or _no_number(dataset, one, datasets),))
        for one in others
        for dataset in datasets
        if dataset not in one.scores
    ]
    return np.hstack([scores, np.array(columns, dtype=np.float64).reshape(len(others), len(datasets)).T]), missing


def _no_number(dataset: str, one: External, datasets: list[str]) -> str:
    """That a source lacks a dataset; a name in it that is nearly the same may be a misspelling."""
    near = get_close_matches(dataset, one.scores.keys() - set(datasets), n=1, cutoff=0.85)
    return f"no number in its source ({one.kind})" + (f"; it has '{near[0]}'" if near else "")


def _rows(frame: pd.DataFrame, names: list[str], others: list[External]) -> list[Row]:
    first = frame.drop_duplicates("name")[["name", "method", "backbone", "recipe"]]
    known = {row[0]: Row(*row) for row in first.to_numpy().tolist()}
    known |= {one.name: Row(one.name, one.label, one.kind, one.protocol.text) for one in others}
    return [known[name] for name in names]
