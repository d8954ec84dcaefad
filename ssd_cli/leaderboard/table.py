"""Rows of the tables, for the terminal and as CSV files."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.core import atomic
from ssd_cli.core.text import printable, spreadsheet_cell
from ssd_cli.metrics import MATCHED_RANK, metrics
from ssd_cli.statistics.intervals import METHOD

if TYPE_CHECKING:
    from ssd_cli.leaderboard.compare import Comparison
    from ssd_cli.statistics.effects import Effects

Texts = list[str]


def leaderboard_rows(comparison: Comparison) -> list[Texts]:
    """Return place, method, average rank, mean accuracy, number of datasets, wins/ties/losses and letters of each method."""
    wins, ties, losses = (counts.sum(axis=1) for counts in comparison.contests)
    return [
        [
            str(i + 1),
            name,
            f"{comparison.average_ranks[i]:.3f}",
            "–" if comparison.n_scores[i] == 0 else f"{comparison.mean_scores[i]:.4f}",
            str(comparison.n_scores[i]),
            f"{wins[i]}/{ties[i]}/{losses[i]}",
            comparison.letters[i],
        ]
        for i, name in enumerate(comparison.names)
    ]


def per_dataset_rows(comparison: Comparison) -> list[Texts]:
    """Return dataset and accuracies, best method first; ``*`` marks the best accuracy of a dataset, ``–`` a missing one."""
    best = comparison.ranks == comparison.ranks.min(axis=1, keepdims=True)
    return [
        [
            dataset,
            *("–" if np.isnan(score) else f"{score:.3f}{'*' if top else ' '}" for score, top in zip(scores, tops, strict=True)),
        ]
        for dataset, scores, tops in zip(comparison.datasets, comparison.scores, best, strict=True)
    ]


INTERVAL = ("low_95", "high_95", "interval")
"""Columns of pairwise.csv: the ends of the interval, and its method. Earlier versions used another method and did not name it."""
PAIRWISE_HEADER = ["first", "second", "wins/ties/losses", "difference", "95 % interval", "effect", "p", "p adj.", "different"]


def pairwise_rows(comparison: Comparison) -> list[Texts]:
    """Return a row per pair, the better ranked method first, with the columns `PAIRWISE_HEADER`."""
    tests, (wins, ties, losses), effects = comparison.tests, comparison.contests, comparison.effects
    return [
        [
            comparison.names[i],
            comparison.names[j],
            f"{wins[i, j]}/{ties[i, j]}/{losses[i, j]}",
            *_sizes(effects, i, j),
            f"{tests.p[i, j]:.4f}",
            f"{tests.adjusted[i, j]:.4f}",
            "yes" if tests.different[i, j] else "no",
        ]
        for i, j in zip(*np.triu_indices(len(comparison.names), k=1), strict=True)
    ]


def _sizes(effects: Effects, i: int, j: int) -> Texts:
    """Return difference, interval and effect as text; dashes for what is unknown."""
    mean, low, high, effect = (float(part[i, j]) for part in effects)
    interval = "–" if np.isnan(low) else f"{low:+.3f} to {high:+.3f}"
    return ["–"] * 3 if np.isnan(mean) else [f"{mean:+.4f}", interval, f"{effect:+.2f}"]


def missing_rows(comparison: Comparison) -> list[Texts]:
    """Return dataset, method, number of existing results, and the reason for the missing ones."""
    return [[item.dataset, item.name, f"{item.n_results} of {comparison.n_results}", item.reason] for item in comparison.missing]


def write_csv(comparison: Comparison, folder: Path) -> list[Path]:
    """Write leaderboard.csv (a row per method), per_dataset.csv (a row per dataset × method), pairwise.csv and variance.csv."""
    return atomic.write_into(folder, [(folder / name, as_csv(rows)) for name, rows in csv_tables(comparison).items()])


def csv_tables(comparison: Comparison) -> dict[str, list[list[object]]]:
    """Return the rows of each file, header first."""
    tables = {"leaderboard": _leaderboard, "per_dataset": _per_dataset, "pairwise": _pairwise, "variance": _variance}
    return {f"{name}.csv": rows(comparison) for name, rows in tables.items()}


def _leaderboard(comparison: Comparison) -> list[list[object]]:
    head = ["place", "name", "method", "backbone", "recipe", "average_rank", "mean_accuracy", "n_datasets", "n_results_per_dataset"]
    summary = comparison.summary
    known = [metric.key for metric in metrics("csv") if metric.key in summary.values and metric.key != MATCHED_RANK]
    beside = [MATCHED_RANK, "pareto_inference", "pareto_training", *known]
    chosen = [comparison.selection] if comparison.selection else []
    named = [*head, "wins", "ties", "losses", "groups", "missing_policy", *(["selection"] if chosen else []), "n_missing"]
    rows: list[list[object]] = [[*named, *beside]]
    wins, ties, losses = (counts.sum(axis=1) for counts in comparison.contests)
    for i, one in enumerate(comparison.rows):
        n_missing = sum(item.name == one.name for item in comparison.missing)
        mean = comparison.mean_scores[i] if comparison.n_scores[i] else ""
        n_results = "" if one.external else comparison.n_results
        numbers = [comparison.average_ranks[i], mean, comparison.n_scores[i], n_results, wins[i], ties[i], losses[i]]
        fronts = ["yes" if front[i] else "no" for front in (summary.pareto_inference, summary.pareto_training)]
        fronts[1] = fronts[1] if summary.times_compare else ""
        blanks = _known(summary.values[key][i] for key in (MATCHED_RANK, *known))
        policy = [comparison.letters[i], comparison.policy, *chosen, n_missing]
        rows.append([i + 1, *dataclasses.astuple(one), *numbers, *policy, blanks[0], *fronts, *blanks[1:]])
    return rows


def _per_dataset(comparison: Comparison) -> list[list[object]]:
    lacking = {(item.dataset, item.name): item for item in comparison.missing}
    rows: list[list[object]] = [["dataset", "name", "accuracy", "rank", "n_results", "ranked", "reason"]]
    complete = {one.name: "" if one.external else comparison.n_results for one in comparison.rows}
    for d, dataset in enumerate([*comparison.datasets, *comparison.left_out]):
        ranked = d < len(comparison.datasets)
        for m, name in enumerate(comparison.names):
            item = lacking.get((dataset, name))
            n_results, reason = (complete[name], "") if item is None else (item.n_results, item.reason)
            numbers = [comparison.scores[d, m] if item is None else "", comparison.ranks[d, m]] if ranked else ["", ""]
            rows.append([dataset, name, *numbers, n_results, "yes" if ranked else "no", reason])
    return rows


def _pairwise(comparison: Comparison) -> list[list[object]]:
    tests, (wins, ties, losses), effects, noise = comparison.tests, comparison.contests, comparison.effects, comparison.noise
    head = ["first", "second", "wins", "ties", "losses", "p", "p_holm", "exact", "different", "alpha", "convention"]
    head += ["mean_difference", *INTERVAL, "rank_biserial", "seed_noise", "within_seed_noise"]
    rows: list[list[object]] = [[*head, *(["rope", "p_worse", "p_same", "p_better"] if comparison.rope is not None else [])]]
    for i, j in zip(*np.triu_indices(len(comparison.names), k=1), strict=True):
        counts = [wins[i, j], ties[i, j], losses[i, j]]
        exact = "" if tests.exact is None else "yes" if tests.exact[i, j] else "no"
        verdict = [exact, "yes" if tests.different[i, j] else "no"]
        pair = [comparison.names[i], comparison.names[j]]
        known = noise is not None and np.isfinite(noise.seed_noise[i, j])
        chance = [noise.seed_noise[i, j], "yes" if noise.within[i, j] else "no"] if noise is not None and known else ["", "unknown"]
        mean, low, high, effect = _known(part[i, j] for part in effects)
        bayes = [comparison.rope, *_known(comparison.posteriors[i, j])] if comparison.rope is not None else []
        verdicts = [tests.p[i, j], tests.adjusted[i, j], *verdict, comparison.alpha, comparison.test]
        rows.append([*pair, *counts, *verdicts, mean, low, high, METHOD, effect, *chance, *bayes])
    return rows


def _known(values: Iterable[float]) -> list[object]:
    return ["" if np.isnan(value) else value for value in values]


def _variance(comparison: Comparison) -> list[list[object]]:
    splits = comparison.noise.splits if comparison.noise else ()
    rows = [[name, *_known(split)] for name, split in zip(comparison.names, splits, strict=False)]
    return [["name", "datasets", "resamples", "seeds"], *rows]


def as_csv(rows: list[list[object]]) -> bytes:
    """Return the rows as the content of a file; numbers can be read back exactly, and no text is a formula of a spreadsheet."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_plain(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _plain(value: object) -> object:
    if isinstance(value, str):
        return spreadsheet_cell(printable(value))
    return value.item() if isinstance(value, np.generic) else value
