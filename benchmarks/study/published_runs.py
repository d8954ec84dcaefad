"""Compare our accuracies of single Inception networks under the recipe `paper` with the published ones.

`published_runs.csv` holds the five published runs of each dataset (single networks on the archive's split, five initialisations):
results-inception-128.csv of github.com/hfawaz/InceptionTime (Ismail Fawaz et al. 2020, "InceptionTime: Finding AlexNet for time
series classification", Data Mining and Knowledge Discovery 34, 1936-1962).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables
from scipy.stats import ttest_ind

from ssd_cli.statistics.pairs import holm

FILE = Path(__file__).with_suffix(".csv")
DIGITS = 6
"""Digits of the published accuracies; ours are rounded to them, so that equal counts of correct cases are equal numbers."""
LARGEST_MEAN = 0.01
ALPHA = 0.05


class Welch(NamedTuple):
    """Difference of two means, the ends of its 95 % interval, and the two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float


def published() -> dict[str, np.ndarray]:
    """Return the published accuracies by dataset."""
    found: dict[str, list[float]] = {}
    with FILE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["dataset"], []).append(float(row["accuracy"]))
    return {dataset: np.array(values) for dataset, values in found.items()}


def welch(ours: np.ndarray, theirs: np.ndarray) -> Welch:
    """Run Welch's t-test of ours minus theirs; without any spread p is 1 for equal means, else 0, without an interval."""
    difference = float(ours.mean() - theirs.mean())
    if np.ptp(ours) == 0 and np.ptp(theirs) == 0:
        return Welch(difference, np.nan, np.nan, float(difference == 0))
    result = ttest_ind(ours, theirs, equal_var=False)
    interval = result.confidence_interval(0.95)
    return Welch(difference, float(interval.low), float(interval.high), float(result.pvalue))


def compare(ours: dict[str, np.ndarray]) -> tuple[tables.Table, str]:
    """Return a row for each dataset and a sentence with the verdict, given accuracies over seeds by dataset."""
    head = ["dataset", "seeds", "ours", "published", "difference", "low", "high", "p", "p_holm"]
    theirs = published()
    datasets = [dataset for dataset in theirs if dataset in ours]
    results = [welch(np.round(ours[dataset], DIGITS), theirs[dataset]) for dataset in datasets]
    adjusted = holm(np.array([result.p for result in results]))
    rows: list[list[object]] = [
        [name, len(ours[name]), float(ours[name].mean()), float(theirs[name].mean()), *result, p]
        for name, result, p in zip(datasets, results, adjusted.tolist(), strict=True)
    ]
    mean, low = float(np.mean([abs(result.difference) for result in results])), float(adjusted.min())
    verdict = "Both hold." if low >= ALPHA and mean <= LARGEST_MEAN else "NOT BOTH HOLD."
    sentence = (
        f"Mean |difference| over {len(rows)} datasets: {mean:.4f} (at most {LARGEST_MEAN:g} is asked for). Smallest Holm-adjusted "
        f"p: {low:.3f} (none below {ALPHA:g} is asked for). {verdict} "
        "Difference: ours minus published, with Welch's 95 % interval."
    )
    return (head, rows), sentence
