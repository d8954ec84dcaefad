"""What stands beside accuracy: other scores, what each method costs, and how well a student follows its teacher."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.conditions import conditions_of, times_compare
from ssd_cli.leaderboard.means import Grouped
from ssd_cli.statistics.pareto import front
from ssd_cli.statistics.ranks import rank_scores

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

SCORES = ("balanced_accuracy", "macro_f1", "nll", "brier", "ece")
DISTILLATION = ("teacher_accuracy", "teacher_agreement", "disagreement")
COSTS = (
    "trainings", "networks_stored", "fit_seconds_alone", "fit_seconds_spent", "latency_ms_p50", "macs", "parameters",
    "size_bytes",
)  # fmt: skip
BASELINE = "single"
MATCHED = 1.01
"""Up to 1 % more multiply-accumulates than one plain network are the same inference cost: a method may change the head."""


@dataclass(frozen=True)
class Facts:
    """One number a method, in the order of the leaderboard.

    Parameters
    ----------
    means : dict of str to ndarray (n_methods,)
        Of `SCORES`, `DISTILLATION` and `COSTS`: mean over resamples and seeds, then over the datasets that every method of the
        comparison completed. NaN where some of them lack the number. Absent where no record has it.
        `deployed.with_deployed` adds those of exported files.
    relative : dict of str to ndarray (n_methods,)
        ``fit_alone``, ``fit_spent``, ``inference`` (MACs): geometric mean over these datasets of the ratio to the method `single`
        with the same backbone; NaN where there is none, and of times where they were taken under other conditions.
    matched_ranks : ndarray (n_methods,)
        Average rank among the methods of the same backbone that cost no more at inference than its `single`; NaN for the others.
        Across backbones costs do not match: one plain Inception needs 40 times the multiply-accumulates of one plain LITE.
    pareto_inference, pareto_training : ndarray of bool (n_methods,)
        On the front of mean accuracy and MACs, of mean accuracy and seconds of training alone.
    times_compare : bool
        Whether all times were taken under the same conditions; if not, nobody is on the front of training.
    """

    means: dict[str, Floats]
    relative: dict[str, Floats]
    matched_ranks: Floats = field(repr=False)
    pareto_inference: npt.NDArray[np.bool_] = field(repr=False)
    pareto_training: npt.NDArray[np.bool_] = field(repr=False)
    times_compare: bool

    @property
    def gap(self) -> Floats:
        """Student minus teacher, in mean accuracy."""
        return self.means["accuracy"] - self.means["teacher_accuracy"]


def facts(
    frame: pd.DataFrame, names: list[str], backbones: list[str], methods: list[str], datasets: list[str], scores: Floats
) -> Facts:
    """Collect the facts.

    Parameters
    ----------
    frame : DataFrame
        Cells, as `collect` gives them.
    names, backbones, methods : list of str
        Of the contestants, in the order of the leaderboard.
    datasets : list of str
    scores : ndarray, shape (n_datasets, n_methods)
        Mean accuracies that were ranked, NaN where missing.
    """
    complete = np.isfinite(scores).all(axis=1)
    tables = _tables(frame, names, datasets)
    means = {name: _mean(table[complete]) for name, table in tables.items()}
    means["accuracy"] = _mean(scores[complete])
    baseline = [_baseline(i, backbones, methods) for i in range(len(names))]
    conditions = conditions_of(frame, names, datasets)[complete]
    relative = {}
    for short, column in (("fit_alone", "fit_seconds_alone"), ("fit_spent", "fit_seconds_spent"), ("inference", "macs")):
        alone = "fit_seconds_alone" if column == "fit_seconds_spent" else column
        if column in tables and alone in tables:
            known = conditions if short != "inference" else np.zeros_like(conditions)
            relative[short] = _ratio(tables[column][complete], tables[alone][complete], baseline, known)
    matched = relative.get("inference", np.full(len(names), np.nan)) <= MATCHED
    ranks = np.full(len(names), np.nan)
    for backbone in set(backbones):
        among = matched & (np.array(backbones) == backbone)
        if among.sum() > 1 and complete.any():
            ranks[among] = rank_scores(scores[complete][:, among]).mean(axis=0)
    unknown = np.full(len(names), np.nan)
    accuracy, comparable = means["accuracy"], times_compare(frame[frame["dataset"].isin(datasets)])
    seconds = means.get("fit_seconds_alone", unknown) if comparable else unknown
    return Facts(means, relative, ranks, front(accuracy, means.get("macs", unknown)), front(accuracy, seconds), comparable)


def _tables(frame: pd.DataFrame, names: list[str], datasets: list[str]) -> dict[str, Floats]:
    """Means over resamples and seeds, shape (n_datasets, n_methods), of every column that some cell has a number in."""
    grouped = Grouped(frame, names, datasets)
    columns = (*SCORES, *DISTILLATION, *COSTS)
    return {name: grouped.mean(name) for name in columns if name in grouped.cells and grouped.cells[name].notna().any()}


def _mean(table: Floats) -> Floats:
    return table.mean(axis=0) if len(table) else np.full(table.shape[1], np.nan)


def _baseline(i: int, backbones: list[str], methods: list[str]) -> int:
    """The column of `single` with the same backbone, -1 where there is none."""
    found = [j for j, method in enumerate(methods) if method == BASELINE and backbones[j] == backbones[i]]
    return found[0] if found else -1


def _ratio(table: Floats, reference: Floats, baseline: list[int], conditions: npt.NDArray[np.int64]) -> Floats:
    """Geometric mean over the datasets of table[:, i] / reference[:, baseline[i]]; 0 where nothing at all was spent.

    NaN where the two were measured under different conditions on any dataset, or under mixed ones (-1).
    """
    ratios = np.full(len(baseline), np.nan)
    for i, j in enumerate(baseline):
        if j < 0 or not len(table) or not (reference[:, j] > 0).all():
            continue
        if ((conditions[:, i] != conditions[:, j]) | (conditions[:, j] < 0)).any():
            continue
        quotients = table[:, i] / reference[:, j]
        ratios[i] = 0.0 if (quotients == 0).all() else np.exp(np.log(np.maximum(quotients, 1e-9)).mean())
    return ratios
