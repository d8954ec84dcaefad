"""Whether `ssd` with dropout at the embedding alone is a mild sharpening of its teacher, as its arithmetic predicts.

With the site `embed` the representations are masks on the coordinates of one vector, and choosing those with the largest dot
product gives, to first order, the teacher's own embedding with its dominant coordinates lengthened. If that is all, then `ssd`
must predict the same classes as its controls (`feat-kd`, the deterministic target; `ssd-random-k`, as many masks chosen by
chance; `ssd-uniform`, the mean of all masks; `finetune`, no target), with longer embeddings, higher confidence and lower
entropy, and no other accuracy.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tables
from suites import Loaded

from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.scores import agreement
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore

METHOD = "ssd"
CONTROLS = ("feat-kd", "ssd-random-k", "ssd-uniform", "finetune", "single-dropout")
CURVES = {
    "norm_ratio": "norm ratio",
    "entropy": "flatness of weights",
    "spread": "spread of similarities",
}
NOTE = (
    "Norm ratio: mean norm of the student's embeddings over that of its teacher's. Flatness: entropy of the softmax over all "
    "similarities before the filter, relative to log N (1: all weights equal). Spread: standard deviation of the similarities over "
    "the temperature. All three over the training cases of the last epoch."
)
SCALARS = ("accuracy", "nll", "ece", "confidence", "entropy")


def sharpness(probabilities: np.ndarray) -> tuple[float, float]:
    """Mean probability of the predicted class, and mean entropy (natural logarithm) of the probabilities (n_cases, n_classes)."""
    logarithms = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    return float(probabilities.max(axis=1).mean()), float(-(probabilities * logarithms).sum(axis=1).mean())


def measure(one: Loaded) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """What each method predicts, averaged over resamples, on the datasets where all of them are complete.

    A method without any complete dataset is left out.

    Returns
    -------
    datasets, methods : list of str
        `METHOD` is the first method.
    measures : dict of str to ndarray, shape (n_datasets, n_methods)
        `SCALARS`; ``agreement`` of predicted classes with `METHOD` and ``distance``, the mean absolute difference of probabilities
        from it; the last values of `CURVES`, NaN where a method has no such curve.
    """
    methods = [name for name in (METHOD, *CONTROLS) if one.done([name], "accuracy")[0]]
    if METHOD not in methods:
        return [], methods, {}
    datasets, _ = one.done(methods, "accuracy")
    names = (*SCALARS, "agreement", "distance", *(f"curve_{name}" for name in CURVES))
    collected: dict[str, list[list[list[float]]]] = {name: [[[] for _ in methods] for _ in datasets] for name in names}
    store = ResultStore(one.folder)
    rows = one.frame[one.frame["dataset"].isin(datasets) & one.frame["method"].isin(methods) & (one.frame["status"] == "ok")]
    for (dataset, _, _), group in rows.groupby(["dataset", "resample", "seed"], observed=True):
        paths = dict(zip(group["method"], group["path"], strict=True))
        known = {}
        for place, method in enumerate(methods):
            path = one.folder / f"{paths[method]}.json"
            record = CellRecord.from_json(path.read_bytes(), str(path))
            known[method] = store.predictions(record.cell)[1]
            confidence, entropy = sharpness(known[method])
            values = {name: record.scores[name] for name in ("accuracy", "nll", "ece")}
            values |= {"confidence": confidence, "entropy": entropy}
            values["agreement"] = agreement(known[METHOD], known[method])
            values["distance"] = float(np.abs(known[METHOD] - known[method]).mean())
            values |= {f"curve_{name}": _last(record, name) for name in CURVES}
            for name, value in values.items():
                collected[name][datasets.index(str(dataset))][place].append(value)
    shape = (len(datasets), len(methods))
    return (
        datasets,
        methods,
        {name: np.array([[np.mean(v) for v in row] for row in c]).reshape(shape) for name, c in collected.items()},
    )


def _last(record: CellRecord, name: str) -> float:
    """The last value of a curve of the student."""
    found = [entry["curve"][name][-1] for entry in record.curves if name in entry.get("curve", {})]
    return float(found[-1]) if found else float("nan")


def against(suite: str, methods: list[str], measures: dict[str, np.ndarray]) -> tables.Table:
    """A row a control: agreement and distance, and how far confidence, entropy and scores of `ssd` lie above its own."""
    head = ["suite", "ssd against", "datasets", "same class", "mean abs. dp"]
    for name in SCALARS:
        head += [name, f"{name} low", f"{name} high"]
    found = {name: effects(measures[name]) for name in SCALARS}
    rows: list[list[object]] = []
    for place, method in enumerate(methods[1:], start=1):
        row: list[object] = [suite, method, len(measures["accuracy"])]
        row += [float(measures[name][:, place].mean()) for name in ("agreement", "distance")]
        for name in SCALARS:
            row += [float(part[0, place]) for part in (found[name].mean, found[name].low, found[name].high)]
        rows.append(row)
    return head, rows


def short(table: tables.Table) -> tables.Table:
    """The same with the intervals in the cells."""
    head, rows = table
    lines = []
    for row in rows:
        values = dict(zip(head, row, strict=True))
        cells = [f"{values[name]:+.4f} ({values[f'{name} low']:+.4f} to {values[f'{name} high']:+.4f})" for name in SCALARS]
        lines.append([*row[:5], *cells])
    return [*head[:5], *(f"{name}, ssd minus other" for name in SCALARS)], lines


def levels(suite: str, methods: list[str], measures: dict[str, np.ndarray]) -> tables.Table:
    """A row a method: means over datasets of everything that is measured."""
    keys = (*SCALARS, *(f"curve_{name}" for name in CURVES))
    head = ["suite", "method", "datasets", *SCALARS, *CURVES.values()]
    means = [[float(measures[key][:, place].mean()) for key in keys] for place in range(len(methods))]
    n = len(measures["accuracy"])
    return head, [[suite, method, n, *values] for method, values in zip(methods, means, strict=True)]


def epochs(one: Loaded, methods: tuple[str, ...] = (METHOD, "ssd-random-k", "ssd-uniform", "ssd-mid")) -> tables.Table:
    """The student's norm over its teacher's, entropy and spread by epoch: means over all cells that are there."""
    rows: list[list[object]] = []
    for method in methods:
        curves: dict[str, list[list[float]]] = {name: [] for name in CURVES}
        found = one.frame[(one.frame["method"] == method) & (one.frame["status"] == "ok")]
        for path in found["path"]:
            for entry in json.loads(Path(one.folder / f"{path}.json").read_bytes())["curves"]:
                for name in CURVES:
                    if name in entry.get("curve", {}):
                        curves[name].append(entry["curve"][name])
        if curves["norm_ratio"]:
            means = {name: np.mean(values, axis=0) for name, values in curves.items() if values}
            for epoch in range(len(means["norm_ratio"])):
                rows.append([method, epoch + 1, *(float(means[name][epoch]) if name in means else np.nan for name in CURVES)])
    return ["method", "epoch", *CURVES], rows
