"""Which rule for unequal lengths, and which for missing values, is best: cross-validation inside the archive's training splits.

Three stratified folds of the archive's training part; the preparation is fitted on two of them and judged on the third. The test
part is opened by ``--test`` only, after which its accuracies stand in the same file as fold "test"; no rule is chosen by them.

    python benchmarks/preparation_rules.py length --out results/length_rules.csv            # resumes; one process, one thread
    python benchmarks/preparation_rules.py length --out results/length_rules.csv --test
    python benchmarks/preparation_rules.py length --out results/length_rules.csv --table    # Markdown, from the file

and the same with ``impute`` and ``results/impute_rules.csv``.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

RULES = {
    "length": ("pad", "zeros", "edge", "noise", "truncate", "resize"),
    "impute": ("linear", "mean", "forward", "mask"),
}
DATASETS = {  # small ones first
    "length": (
        "JapaneseVowels",
        "PickupGestureWiimoteZ",
        "ShakeGestureWiimoteZ",
        "GesturePebbleZ1",
        "GesturePebbleZ2",
        "GestureMidAirD1",
        "GestureMidAirD2",
        "AllGestureWiimoteX",
        "GestureMidAirD3",
        "AllGestureWiimoteY",
        "AllGestureWiimoteZ",
    ),
    "impute": ("DodgerLoopGame", "DodgerLoopWeekend", "DodgerLoopDay", "MelbournePedestrian"),
}
FOLDS = ("0", "1", "2")
FIELDS = ["dataset", "rule", "fold", "accuracy", "n_train", "n_judged", "n_timepoints", "seconds"]
EPOCHS, BATCH = 60, 32


def main() -> None:
    """Compute what the file lacks, or print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("option", choices=list(RULES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--dataset", nargs="*")
    options = parser.parse_args()
    if options.table:
        print(table(read(options.out), DATASETS[options.option], RULES[options.option]))
        return
    done = {(row["dataset"], row["rule"], row["fold"]) for row in read(options.out)}
    for dataset in options.dataset or DATASETS[options.option]:
        for fold in ("test",) if options.test else FOLDS:
            for rule in RULES[options.option]:
                if (dataset, rule, fold) not in done:
                    append(options.out, measure(dataset, options.option, rule, fold))


def measure(name: str, option: str, rule: str, fold: str) -> dict[str, object]:
    """Train lite with one rule on all folds but one (or on the training part) and judge it on that one (or on the test part)."""
    from ssd_cli.archives.load import load
    from ssd_cli.archives.prepare import Preparation, default_preparation
    from ssd_cli.backbones.registry import backbones
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.predict import predict_proba
    from ssd_cli.training.registry import recipes
    from ssd_cli.training.workbench import Workbench

    dataset = load(name, download=False)
    train, judged = dataset.train, dataset.test
    series, labels, others, answers = train.X, train.y, judged.X, judged.y
    if fold != "test":
        folds = stratified_folds(train.y)
        inside, outside = np.flatnonzero(folds != int(fold)), np.flatnonzero(folds == int(fold))
        series, others = [train.X[case] for case in inside], [train.X[case] for case in outside]
        labels, answers = train.y[inside], train.y[outside]
    classes = np.array(dataset.classes)
    fitted = Preparation(**(dataclasses.asdict(default_preparation(name)) | {option: rule})).fit(series)
    started = time.perf_counter()
    training_set = TrainingSet(fitted.transform(series), np.searchsorted(classes, labels), len(classes), name)
    recipe = recipes.get("fast")(epochs=EPOCHS, batch_size=BATCH).for_backbone("lite")
    backbone = backbones.get("lite")()
    identity = {"name": "lite", "parameters": dataclasses.asdict(backbone)}
    network = Workbench(training_set, backbone, identity, recipe, seed=0, execution="fast").member()
    guesses = classes[predict_proba(network, fitted.transform(others)).argmax(1)]
    return {
        "dataset": name,
        "rule": rule,
        "fold": fold,
        "accuracy": round(float(np.mean(guesses == answers)), 6),
        "n_train": len(series),
        "n_judged": len(others),
        "n_timepoints": fitted.n_timepoints,
        "seconds": round(time.perf_counter() - started, 1),
    }


def stratified_folds(labels: np.ndarray) -> np.ndarray:
    """The fold (0, 1 or 2) of every case; each class is dealt out in a random order that the labels alone decide."""
    generator = np.random.RandomState(0)
    folds, start = np.empty(len(labels), dtype=np.int64), 0
    for label in np.unique(labels):
        cases = generator.permutation(np.flatnonzero(labels == label))
        folds[cases] = (start + np.arange(len(cases))) % len(FOLDS)
        start += len(cases)
    return folds


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file, none if there is none."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: dict[str, object]) -> None:
    """Add a row to the file."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def table(rows: list[dict[str, str]], datasets: Sequence[str], rules: Sequence[str]) -> str:
    """Accuracy in percent by dataset and rule: cross-validated, and in brackets on the test part; complete datasets only."""
    cells: dict[tuple[str, str, bool], list[tuple[float, int]]] = {}
    for row in rows:
        cells.setdefault((row["dataset"], row["rule"], row["fold"] == "test"), []).append(
            (float(row["accuracy"]), int(row["n_judged"]))
        )
    complete = [name for name in datasets if all(len(cells.get((name, rule, False), [])) == len(FOLDS) for rule in rules)]
    lines = ["| dataset | " + " | ".join(rules) + " |", "|---|" + "---:|" * len(rules)]
    means = {}
    for name in complete:
        texts = []
        for rule in rules:
            folds = cells[name, rule, False]
            means[name, rule] = sum(accuracy * n for accuracy, n in folds) / sum(n for _, n in folds)
            test = cells.get((name, rule, True))
            texts.append(f"{100 * means[name, rule]:.1f}" + (f" ({100 * test[0][0]:.1f})" if test else ""))
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    if complete:
        scores = np.array([[means[name, rule] for rule in rules] for name in complete])
        ranks = np.array(
            [[np.mean(row > score) * len(rules) + np.mean(row == score) * len(rules) / 2 + 0.5 for score in row] for row in scores]
        )
        lines.append("| **mean** | " + " | ".join(f"{100 * value:.1f}" for value in scores.mean(0)) + " |")
        lines.append("| **mean rank** | " + " | ".join(f"{value:.2f}" for value in ranks.mean(0)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
