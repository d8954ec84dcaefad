"""Study P: whether the recipe `paper` gives the published accuracies of single Inception networks.

`published_runs.csv` holds the five published runs of each dataset: single networks on the archive's split, five
initialisations, results-inception-128.csv of github.com/hfawaz/InceptionTime (Ismail Fawaz et al. 2020, "InceptionTime: Finding
AlexNet for time series classification", Data Mining and Knowledge Discovery 34, 1936-1962). They are facts with a source;
nothing in that file was run by us.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables

from ssd_cli.statistics.effects import LEVEL
from ssd_cli.statistics.tests import holm

FILE = Path(__file__).with_suffix(".csv")
DIGITS = 6
"""Of the published accuracies; ours are rounded to them, so that equal counts of right cases are equal numbers."""
LARGEST_MEAN = 0.01
ALPHA = 0.05


class Welch(NamedTuple):
    """Difference of two means, the ends of its interval at `LEVEL`, and the two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float


def published() -> dict[str, np.ndarray]:
    """The published accuracies by dataset."""
    found: dict[str, list[float]] = {}
    with FILE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["dataset"], []).append(float(row["accuracy"]))
    return {dataset: np.array(values) for dataset, values in found.items()}


def welch(ours: np.ndarray, theirs: np.ndarray) -> Welch:
    """Welch's t-test of ours minus theirs; where neither has any spread, p is 1 for equal means and 0 for others."""
    from scipy.stats import ttest_ind

    difference = float(ours.mean() - theirs.mean())
    if np.ptp(ours) == 0 and np.ptp(theirs) == 0:
        return Welch(difference, difference, difference, float(difference == 0))
    result = ttest_ind(ours, theirs, equal_var=False)
    interval = result.confidence_interval(LEVEL)
    return Welch(difference, float(interval.low), float(interval.high), float(result.pvalue))


def compare(ours: dict[str, np.ndarray], n_planned: int) -> tuple[tables.Table, str]:
    """A row a dataset, and a sentence with the verdict.

    Parameters
    ----------
    ours : dict of str to ndarray
        Accuracies over seeds by dataset, those that are complete.
    n_planned : int
        Datasets of the study.
    """
    head = ["dataset", "seeds", "ours", "published", "difference", "low", "high", "p", "p_holm"]
    theirs = published()
    datasets = [dataset for dataset in theirs if dataset in ours]
    results = [welch(np.round(ours[dataset], DIGITS), theirs[dataset]) for dataset in datasets]
    adjusted = holm(np.array([result.p for result in results]))
    rows: list[list[object]] = []
    for dataset, result, p in zip(datasets, results, adjusted.tolist(), strict=True):
        means = [float(ours[dataset].mean()), float(theirs[dataset].mean())]
        rows.append([dataset, len(ours[dataset]), *means, result.difference, result.low, result.high, result.p, p])
    if not rows:
        return (head, rows), "No dataset is complete yet."
    mean = float(np.mean([abs(result.difference) for result in results]))
    low = float(adjusted.min())
    state = "" if len(rows) == n_planned else f" SO FAR: {len(rows)} of {n_planned} datasets, so this is not the verdict."
    passed = low >= ALPHA and mean <= LARGEST_MEAN
    sentence = (
        f"Mean |difference| over {len(rows)} datasets: {mean:.4f} (at most {LARGEST_MEAN:g} is asked for). Smallest Holm-adjusted "
        f"p: {low:.3f} (none below {ALPHA:g} is asked for). {'Both hold.' if passed else 'NOT BOTH HOLD.'}{state} "
        "Difference: ours minus published, with Welch's 95 % interval."
    )
    return (head, rows), sentence
