"""Separate the datasets of lite40 by whether `single` fitted its training cases, and compare methods in both parts.

The limit on the training loss uses no test split, but it was chosen after the results had been seen: described, not tested.

`published_lite.csv` holds the published accuracies of LITE (mean of five networks) and LITETime (ensemble of five) on the archive's
split after 1500 epochs: results.csv of github.com/MSD-IRIMAS/LITE (Ismail-Fawaz et al. 2023, "LITE: Light Inception with boosTing
tEchniques for time series classification", DSAA).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import tables
from suites import Loaded

from ssd_cli.statistics.effects import effects

LIMIT = 0.1
"""Mean training loss of `single` in the last epoch above which a dataset counts as not fitted."""
SITES = "[dropout_sites=embed+mid]"
PAIRS = (
    ("ens-avg", "single"), ("kd", "single"), ("single-dropout", "single"), (f"single-dropout{SITES}", "single"),
    ("ssd", "finetune"), ("ssd", "single-dropout"), ("ssd", "feat-kd"), ("ssd", "ssd-random-k"), ("ssd", "ens-avg"),
    ("ssd-mid", f"finetune{SITES}"), ("ssd-mid", f"single-dropout{SITES}"), ("ssd-mid", "ssd-random-k"), ("ssd-mid", "ens-avg"),
)  # fmt: skip
PUBLISHED = Path(__file__).with_name("published_lite.csv")
COUNTERPARTS = {"single": "LITE", "ens-avg": "LITETime"}
HEAD = ["part", "difference", "datasets", "mean", "low", "high"]


def final_losses(one: Loaded) -> dict[str, float]:
    """Return the mean training loss of `single` in its last epoch by dataset."""
    rows = one.frame[(one.frame["method"] == "single") & (one.frame["status"] == "ok")]
    return {str(dataset): float(np.mean(losses.tolist())) for dataset, losses in rows.groupby("dataset")["loss"]}


def compare(one: Loaded) -> tables.Table:
    """Return a row for each part and pair of methods, and for each part and published network."""
    losses = final_losses(one)
    fitted = {dataset for dataset, loss in losses.items() if loss <= LIMIT}
    parts = {f"training loss at most {LIMIT:g}": fitted, f"training loss above {LIMIT:g}": set(losses) - fitted}
    return HEAD, [row for title, datasets in parts.items() for row in _part(title, one, datasets)]


def short(table: tables.Table) -> tables.Table:
    """Return a row for each difference and a column for each part, in points of accuracy."""
    _, rows = table
    parts, pairs = (list(dict.fromkeys(str(row[place]) for row in rows)) for place in (0, 1))
    known = {(row[0], row[1]): _points(*row[2:]) for row in rows}  # type: ignore[arg-type]
    return ["difference, points", *parts], [[pair, *(known.get((part, pair), "–") for part in parts)] for pair in pairs]


def _points(n_datasets: int, mean: float, low: float, high: float) -> str:
    interval = "no interval" if np.isnan(low) else f"{100 * low:+.1f} to {100 * high:+.1f}"
    return f"{100 * mean:+.1f} ({interval}), {n_datasets}"


def _part(title: str, one: Loaded, datasets: set[str]) -> list[list[object]]:
    rows = []
    for first, second in PAIRS:
        names, scores = one.done([first, second], "accuracy")
        rows.append(_row(title, f"{first} − {second}", scores[[name in datasets for name in names]]))
    for method, network in COUNTERPARTS.items():
        ours, theirs = archive_split(one, method), published(network)
        shared = [name for name in sorted(datasets) if name in ours and name in theirs]
        rows.append(_row(title, f"{method} − published {network}", np.array([[ours[name], theirs[name]] for name in shared])))
    return [row for row in rows if row[2]]


def _row(title: str, difference: str, scores: np.ndarray) -> list[object]:
    if len(scores) < 2:
        return [title, difference, 0, np.nan, np.nan, np.nan]
    size = effects(scores)
    return [title, difference, len(scores), *(float(part[0, 1]) for part in (size.mean, size.low, size.high))]


def archive_split(one: Loaded, method: str) -> dict[str, float]:
    """Return the accuracies of resample 0 by dataset."""
    rows = one.frame[(one.frame["method"] == method) & (one.frame["status"] == "ok") & (one.frame["resample"] == 0)]
    return dict(zip(rows["dataset"], rows["accuracy"].tolist(), strict=True))


def published(network: str) -> dict[str, float]:
    """Return the published accuracies of LITE or LITETime by dataset."""
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        return {row["dataset"]: float(row[network]) for row in csv.DictReader(file)}
