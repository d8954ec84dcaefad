"""The metrics of each method besides the ranked score: other scores, distillation, costs, and derived figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.conditions import conditions_of, times_compare
from ssd_cli.leaderboard.ranking import Grouped
from ssd_cli.metrics import MATCHED, MATCHED_RANK, METRICS, RANKED
from ssd_cli.statistics.ranks import front, rank_scores

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

BASELINE = "single"


@dataclass(frozen=True)
class Row:
    """A method of the leaderboard: its name in the leaderboard, and its full labels."""

    name: str
    method: str
    backbone: str
    recipe: str

    @property
    def external(self) -> bool:
        """Whether the scores were published by others or made by another tool."""
        return self.backbone in ("published", "foreign")


@dataclass(frozen=True)
class Summary:
    """One number per method and metric, in the order of the leaderboard.

    Parameters
    ----------
    values : dict of str to ndarray (n_methods,)
        Means over resamples and seeds, then over the datasets that every method completed. NaN if a record lacks the number;
        metrics that no record has are absent. The ``…_relative_to_single`` are geometric means of the ratio to `single` with the
        same backbone; NaN without `single`, and for times under other conditions. The rank at matched inference is per backbone.
    pareto_inference, pareto_training : ndarray of bool (n_methods,)
        Pareto front of mean accuracy and MACs, and of mean accuracy and training seconds.
    times_compare : bool
        Whether all times were measured under the same conditions; if not, the front of training is empty.
    """

    values: dict[str, Floats] = field(repr=False)
    pareto_inference: npt.NDArray[np.bool_] = field(repr=False)
    pareto_training: npt.NDArray[np.bool_] = field(repr=False)
    times_compare: bool

    def get(self, key: str) -> Floats:
        """Return the values of a metric; NaN for all methods if no record has the metric."""
        return self.values.get(key, np.full(len(self.pareto_inference), np.nan))


def summarise(frame: pd.DataFrame, rows: list[Row], datasets: list[str], scores: Floats) -> Summary:
    """Average the metrics of the compared methods over the datasets without missing scores (n_datasets, n_methods)."""
    names = [row.name for row in rows]
    complete = np.isfinite(scores).all(axis=1)
    grouped = Grouped(frame, names, datasets)
    recorded = [metric.key for metric in METRICS.values() if metric.source == "record" and metric.key in grouped.cells]
    tables = {key: grouped.mean(key)[complete] for key in recorded if grouped.cells[key].notna().any()}
    values = {key: _mean(table) for key, table in tables.items()} | {RANKED: _mean(scores[complete])}
    values |= _relative(tables, rows, conditions_of(frame, names, datasets)[complete])
    inference = values.get("inference_relative_to_single", np.full(len(rows), np.nan))
    values[MATCHED_RANK] = _matched_ranks(scores[complete], rows, inference <= MATCHED)
    if "teacher_accuracy" in values:
        values["gap"] = values[RANKED] - values["teacher_accuracy"]
    comparable, unknown = times_compare(frame[frame["dataset"].isin(datasets)]), np.full(len(rows), np.nan)
    inference, training = (values.get(key, unknown) for key in ("macs", "fit_seconds_alone" if comparable else ""))
    return Summary(values, front(values[RANKED], inference), front(values[RANKED], training), comparable)


def _relative(tables: dict[str, Floats], rows: list[Row], conditions: npt.NDArray[np.int64]) -> dict[str, Floats]:
    found = {}
    for name, column in (("fit_alone", "fit_seconds_alone"), ("fit_spent", "fit_seconds_spent"), ("inference", "macs")):
        alone = "fit_seconds_alone" if column == "fit_seconds_spent" else column
        if column in tables and alone in tables:
            known = conditions if column != "macs" else np.zeros_like(conditions)
            found[f"{name}_relative_to_single"] = _ratio(tables[column], tables[alone], rows, known)
    return found


def _ratio(table: Floats, reference: Floats, rows: list[Row], conditions: npt.NDArray[np.int64]) -> Floats:
    """Geometric mean over the datasets of table[:, i] / reference[:, single of the same backbone]; 0 if all costs are 0.

    NaN if the two were measured under different or mixed (-1) conditions on any dataset.
    """
    baseline = {row.backbone: j for j, row in reversed(list(enumerate(rows))) if row.method == BASELINE}
    ratios = np.full(len(rows), np.nan)
    for i, row in enumerate(rows):
        j = baseline.get(row.backbone, -1)
        if j < 0 or not len(table) or not (reference[:, j] > 0).all():
            continue
        if ((conditions[:, i] != conditions[:, j]) | (conditions[:, j] < 0)).any():
            continue
        quotients = table[:, i] / reference[:, j]
        ratios[i] = 0.0 if (quotients == 0).all() else np.exp(np.log(np.maximum(quotients, 1e-9)).mean())
    return ratios


def _matched_ranks(scores: Floats, rows: list[Row], matched: npt.NDArray[np.bool_]) -> Floats:
    ranks, backbones = np.full(len(rows), np.nan), np.array([row.backbone for row in rows])
    for backbone in set(backbones):
        among = matched & (backbones == backbone)
        if among.sum() > 1 and len(scores):
            ranks[among] = rank_scores(scores[:, among]).mean(axis=0)
    return ranks


def _mean(table: Floats) -> Floats:
    return table.mean(axis=0) if len(table) else np.full(table.shape[1], np.nan)
