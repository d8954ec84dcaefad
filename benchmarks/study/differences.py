"""Compare every method of a suite with one of them: mean difference of accuracy with its interval over datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tables

from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.ranks import contests

if TYPE_CHECKING:
    from suites import Loaded


def differences(one: Loaded, base: str) -> tables.Table:
    """Return a row for each other method: mean accuracy minus that of `base`, on the datasets that both completed.

    CPU seconds count where all records come from one kind of processor.
    """
    head = ["method", "datasets", "accuracy", "difference", "low", "high", "wins", "ties", "losses", f"training CPU x {base}"]
    rows: list[list[object]] = []
    alike = one.on_one_processor(one.methods)
    for method in one.methods:
        if method == base:
            continue
        datasets, scores = one.done([method, base], "accuracy")
        size, counts = effects(scores), [int(part[0, 1]) for part in contests(scores)]
        seconds = one.done([method, base], "cpu_seconds")[1][[dataset in alike for dataset in datasets]]
        ratio = float(np.exp(np.log(seconds[:, 0] / seconds[:, 1]).mean()))
        numbers = [float(part[0, 1]) for part in (size.mean, size.low, size.high)]
        rows.append([method, len(datasets), float(scores[:, 0].mean()), *numbers, *counts, ratio])
    return head, rows
