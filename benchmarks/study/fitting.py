"""What of study A comes from networks that have not fitted their training cases, and what is left where they have.

Recipe `fast` has 100 epochs, which are 100 steps where one batch holds all training cases. Here the datasets of A are parted by the
training loss of `single` in its last epoch; beside them stands study L: those above the limit again, with five times the epochs.
Neither the limit nor the datasets of L know a test split. Looked at after A had been seen: described, not tested.

`published_lite.csv` holds the published accuracies of LITE (mean of five networks) and LITETime (ensemble of five) on the archive's
split, results.csv of github.com/MSD-IRIMAS/LITE (Ismail-Fawaz et al. 2023, "LITE: Light Inception with boosTing tEchniques for time
series classification", DSAA); 1500 epochs. They are facts with a source; nothing in that file was run by us.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import tables
from suites import Loaded

from ssd_cli.statistics.effects import effects

LIMIT = 0.1
"""Training loss in the mean of the resamples above which a dataset counts as not fitted; L was chosen by it."""
SITES = "[dropout_sites=embed+mid]"
PAIRS = (
    ("ens-avg", "single"), ("kd", "single"), ("single-dropout", "single"), (f"single-dropout{SITES}", "single"),
    ("ssd", "finetune"), ("ssd", "single-dropout"), ("ssd", "feat-kd"), ("ssd", "ssd-random-k"), ("ssd", "ens-avg"),
    ("ssd-mid", f"finetune{SITES}"), ("ssd-mid", f"single-dropout{SITES}"), ("ssd-mid", "ssd-random-k"), ("ssd-mid", "ens-avg"),
)  # fmt: skip
"""Method and what it is compared with: the questions of the study, and what its text says of dropout, `kd` and the ensemble."""
PUBLISHED = Path(__file__).with_name("published_lite.csv")
COUNTERPARTS = {"single": "LITE", "ens-avg": "LITETime"}
HEAD = ["part", "difference", "datasets", "mean", "low", "high"]


def final_losses(one: Loaded) -> dict[str, float]:
    """Mean training loss of `single` in its last epoch, by dataset, over the resamples that are there."""
    found: dict[str, list[float]] = {}
    rows = one.frame[(one.frame["method"] == "single") & (one.frame["status"] == "ok")]
    for dataset, path in zip(rows["dataset"], rows["path"], strict=True):
        curves = json.loads((one.folder / f"{path}.json").read_bytes())["curves"]
        if curves:
            found.setdefault(str(dataset), []).append(float(curves[0]["curve"]["loss"][-1]))
    return {dataset: float(np.mean(losses)) for dataset, losses in found.items()}


def compare(study: Loaded, longer: Loaded) -> tables.Table:
    """A row a part of the datasets and a pair of methods, and a row a part and a published network; empty without study A."""
    if study.cells is None:
        return HEAD, []
    losses = final_losses(study)
    fitted = {dataset for dataset, loss in losses.items() if loss <= LIMIT}
    rows = _part(f"A, training loss at most {LIMIT:g}", study, fitted)
    rows += _part(f"A, training loss above {LIMIT:g}", study, set(losses) - fitted)
    if longer.cells is not None:
        rows += _part("L, these with 500 epochs", longer, set(longer.suite.dataset))
    return HEAD, rows


def short(table: tables.Table) -> tables.Table:
    """A row a difference and a column a part, in points of accuracy."""
    _, rows = table
    parts, differences = (list(dict.fromkeys(str(row[place]) for row in rows)) for place in (0, 1))
    known = {(row[0], row[1]): f"{100 * row[3]:+.1f} ({100 * row[4]:+.1f} to {100 * row[5]:+.1f}), {row[2]}" for row in rows}  # type: ignore[operator]
    return ["difference, points", *parts], [[name, *(known.get((part, name), "–") for part in parts)] for name in differences]


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
    """Accuracies of resample 0 by dataset."""
    rows = one.frame[(one.frame["method"] == method) & (one.frame["status"] == "ok") & (one.frame["resample"] == 0)]
    return dict(zip(rows["dataset"].astype(str), rows["accuracy"].tolist(), strict=True))


def published(network: str) -> dict[str, float]:
    """Published accuracies of LITE or LITETime by dataset."""
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        return {row["dataset"]: float(row[network]) for row in csv.DictReader(file)}
