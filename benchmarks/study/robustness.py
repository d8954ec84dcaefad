"""How much single datasets carry: the study's differences without some of them, with variants of one problem as one, and more.

Chosen after the results had been seen, so that its numbers qualify the answer and prove nothing by themselves; p-values are of
single signed-rank tests, uncorrected but where the part says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection

import fitting
import numpy as np
import tables
import verdicts
from suites import Loaded

from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.tests import holm, wilcoxon

HEAD = ["part", "difference", "datasets", "mean", "low", "high", "p"]
PAIRS = (
    ("ssd", "single"), ("ssd", "ens-avg"), ("single", "ens-avg"), ("ssd", "finetune"), ("ssd", "single-dropout"),
    ("ssd", "feat-kd"), ("ssd", "ssd-random-k"),
)  # fmt: skip
FARTHEST = ("ShapeletSim", "Meat", "Wine")
"""Where `ssd` is farthest behind the ensemble in A."""
UNFITTED = ("Wine", "OliveOil", "Beef")
"""Where the training loss of `single` is above the limit after 500 epochs too."""
VARIANTS = {
    "GunPoint": ("GunPoint", "GunPointAgeSpan", "GunPointMaleVersusFemale", "GunPointOldVersusYoung"),
    "DodgerLoop": ("DodgerLoopDay", "DodgerLoopGame", "DodgerLoopWeekend"),
    "BeetleFly": ("BeetleFly", "BirdChicken"),
}
"""Datasets that are one recording with other labels, or one setup."""
LONGER = {
    "ablation": (("ssd[student_epochs=100]", "ssd"),),
    "controls": (("single-long", "single"), ("single-long[mixup=true]", "single"), ("single-long[mixup=true]", "ssd")),
}
"""What gains most beside `ssd`, by suite."""


def check(loaded: dict[str, Loaded]) -> tables.Table:
    """A row a part of the datasets and a pair of methods; empty without study A."""
    study, longer = loaded["a"], loaded["long"]
    if study.cells is None:
        return HEAD, []
    rows = _rows("A", study, PAIRS)
    rows += _rows(f"A without {', '.join(FARTHEST)}", study, PAIRS, without=FARTHEST)
    rows += _rows("A, variants of one problem as one", study, PAIRS, merged=True)
    rows += _corrected(study)
    if longer.cells is not None:
        rows += _rows("L", longer, PAIRS)
        rows += _rows(f"L without {', '.join(UNFITTED)}", longer, PAIRS, without=UNFITTED)
    losses = fitting.final_losses(study)
    parts = {
        "training loss at most": {name for name, loss in losses.items() if loss > fitting.LIMIT},
        "training loss above": {name for name, loss in losses.items() if loss <= fitting.LIMIT},
    }
    for name, pairs in LONGER.items():
        if loaded[name].cells is not None:
            rows += _rows(name, loaded[name], pairs)
            for part, others in parts.items():
                rows += _rows(f"{name}, {part} {fitting.LIMIT:g}", loaded[name], pairs, without=others)
    return HEAD, rows


def short(table: tables.Table) -> tables.Table:
    """The same in points of accuracy, for reading."""
    return ["part", "difference, points", "n", "mean", "95 % interval", "p"], [
        [part, pair, n, f"{100 * mean:+.1f}", "–" if np.isnan(low) else f"{100 * low:+.1f} to {100 * high:+.1f}", p]
        for part, pair, n, mean, low, high, p in table[1]  # type: ignore[operator]
    ]


def _rows(
    title: str, one: Loaded, pairs: Collection[tuple[str, str]], without: Collection[str] = (), merged: bool = False
) -> list[list[object]]:
    rows = []
    for first, second in pairs:
        datasets, scores = one.done([first, second], "accuracy")
        kept = [place for place, dataset in enumerate(datasets) if dataset not in without]
        if len(kept) < 3:
            continue
        scores = scores[kept]
        if merged:
            problems = np.array([_problem(datasets[place]) for place in kept])
            scores = np.stack([scores[problems == problem].mean(0) for problem in dict.fromkeys(problems.tolist())])
        size = effects(scores)
        numbers = [float(part[0, 1]) for part in (size.mean, size.low, size.high)]
        rows.append([title, f"{first} − {second}", len(scores), *numbers, wilcoxon(scores[:, 0] - scores[:, 1]).p])
    return rows


def _corrected(study: Loaded) -> list[list[object]]:
    """The ten questions of the verdicts under one correction instead of two."""
    asked = []
    for family in verdicts.FAMILIES:
        scores = {}
        for method in (family.method, *family.others):
            known = dict(zip(*_done(study, method), strict=True))
            scores[method] = np.array([known.get(dataset, np.nan) for dataset in sorted(study.suite.dataset)])
        asked += [(f"{family.method} − {answer.other}", answer) for answer in verdicts.ask(family, scores)]
    asked = [(title, answer) for title, answer in asked if len(answer.differences)]
    adjusted = holm(np.array([answer.p for _, answer in asked])).tolist() if asked else []
    return [
        ["A, p by Holm over the ten questions", title, len(answer.differences), float(answer.differences.mean()), np.nan, np.nan, p]
        for (title, answer), p in zip(asked, adjusted, strict=True)
    ]


def _done(one: Loaded, method: str) -> tuple[list[str], list[float]]:
    datasets, values = one.done([method], "accuracy")
    return datasets, values[:, 0].tolist()


def _problem(dataset: str) -> str:
    return next((problem for problem, variants in VARIANTS.items() if dataset in variants), dataset)
