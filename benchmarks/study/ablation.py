"""The ablation of `ssd` and its like: what each change does to mean accuracy, with bootstrap intervals over datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tables

from ssd_cli.configuration import parse_label
from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.ranks import contests

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from suites import Loaded

BASE = "ssd"
PANELS = {
    "representations": "N, representations",
    "dropout": "dropout rate",
    "dropout_sites": "dropout sites",
    "quantile": "quantile of the filter",
    "temperature": "temperature",
    "scale": "scale of the similarity",
    "weighting": "weighting and filter",
    "keep": "fixed number kept",
    "guidance": "guidance",
    "loss": "loss",
    "space": "space",
    "distillation_weight": "distillation weight",
    "student_init": "start of the student",
    "student_epochs": "epochs of the student",
    "teacher_stop": "stop of the teacher",
    "other": "other changes",
    "proposal": "proposals",
    "control": "controls",
    "rival": "rivals",
    "teacher_free": "teacher-free",
    "small": "small networks",
    "reference": "references",
}
"""Parameters in the order of the figure, and what they are called there."""
_WIDE = 0.1
"""Span of differences from which the axis is logarithmic outside ±0.01: a few changes are hundreds of times as large as others."""
_NAMED = {
    "ssd-weight": "weighting",
    "ssd-filter": "weighting",
    "ssd-uniform": "weighting",
    "ssd-topk": "keep",
    "ssd-random-k": "guidance",
    "ssd-label-guided": "guidance",
    "ssd-mid": "dropout_sites",
    "ssd-legacy": "other",
    "ssd-swa": "proposal",
    "ssd-soup": "proposal",
    "ssd-ensemble": "proposal",
    "ssd-gentle": "control",
    "finetune-gentle": "control",
    "single-long": "control",
    "ens-kd": "rival",
    "ban-k": "rival",
    "ban-ens-k": "rival",
    "snapshot": "rival",
    "fge": "rival",
    "mc-dropout": "rival",
    "ls": "teacher_free",
    "tfkd-reg": "teacher_free",
    "dsr": "teacher_free",
    "drg": "teacher_free",
    "drg-dsr": "teacher_free",
    "single-small": "small",
    "kd-small": "small",
    "embed-distill": "small",
    "ssd-small": "small",
}


def panel(label: str) -> str:
    """The parameter that a method of the suite varies."""
    name, parameters = parse_label(label)
    if name in _NAMED:
        return _NAMED[name]
    if name != BASE:
        return "reference"
    first = "student_init" if "student_init" in parameters else next(iter(parameters), "other")
    return first if first in PANELS else "other"


def differences(one: Loaded, methods: list[str], base: str = BASE) -> tables.Table:
    """A row a change: mean accuracy minus that of `base`, on the datasets that both completed.

    CPU seconds count where all cells ran on one kind of processor.
    """
    head = [
        "parameter",
        "method",
        "datasets",
        "accuracy",
        "difference",
        "low",
        "high",
        "wins",
        "ties",
        "losses",
        f"training CPU x {base}",
    ]
    rows: list[list[object]] = []
    alike = one.on_one_processor(methods)
    for method in methods:
        if method == base:
            continue
        datasets, scores = one.done([method, base], "accuracy")
        row: list[object] = [panel(method), method, len(datasets)]
        if not datasets:
            rows.append([*row, *[np.nan] * 8])
            continue
        size, counts = effects(scores), [int(part[0, 1]) for part in contests(scores)]
        timed, seconds = one.done([method, base], "cpu_seconds")
        seconds = seconds[[dataset in alike for dataset in timed]]
        ratio = float(np.exp(np.log(seconds[:, 0] / seconds[:, 1]).mean()))
        interval = [float(part[0, 1]) for part in (size.low, size.high)] if len(datasets) > 2 else [np.nan, np.nan]
        rows.append([*row, float(scores[:, 0].mean()), float(size.mean[0, 1]), *interval, *counts, ratio])
    order = list(PANELS)
    return head, sorted(rows, key=lambda row: order.index(str(row[0])))


def draw(table: tables.Table, title: str, base: str = BASE) -> Figure:
    """A dot a change, with its interval, grouped by parameter; the line is `base`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    head, rows = table
    at = {name: head.index(name) for name in ("parameter", "method", "difference", "low", "high")}
    rows = [row for row in rows if np.isfinite(float(row[at["difference"]]))]  # type: ignore[arg-type]
    figure = Figure(figsize=(7.6, 1.1 + 0.17 * (len(rows) + 1.6 * len({row[0] for row in rows}))), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    y, previous, ticks, labels = 0.0, "", [], []
    for row in rows:
        group = str(row[at["parameter"]])
        if group != previous:
            y -= 1.6
            axes.text(
                -0.01,
                y + 0.95,
                PANELS[group],
                transform=axes.get_yaxis_transform(),
                fontsize=8,
                ha="right",
                va="center",
                weight="bold",
            )
            previous = group
        middle, low, high = (float(row[at[name]]) for name in ("difference", "low", "high"))  # type: ignore[arg-type]
        clear = np.isfinite(low) and (low > 0 or high < 0)
        color = "#D55E00" if clear else "#0072B2"
        if np.isfinite(low):
            axes.plot([low, high], [y, y], color=color, linewidth=1.4, zorder=2)
        axes.plot(middle, y, "o", color=color, markersize=4, zorder=3)
        ticks.append(y)
        labels.append(str(row[at["method"]]))
        y -= 1
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(ticks, labels, fontsize=7)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.set_ylim(y, 0)
    axes.grid(axis="x", color="#eeeeee", zorder=0)
    axes.tick_params(axis="x", labelsize=8)
    text = f"mean accuracy minus that of {base}; 95 % bootstrap interval\n(orange: without 0; not corrected for their number)"
    if axes.dataLim.width > _WIDE:
        axes.set_xscale("symlog", linthresh=0.01, linscale=2)
        axes.set_xticks([-0.5, -0.1, -0.01, -0.005, 0, 0.005, 0.01], ["−0.5", "−0.1", "−0.01", "−.005", "0", ".005", "0.01"])
    axes.set_xlabel(text, fontsize=8)
    axes.set_title(title, fontsize=9, loc="left")
    figure.tight_layout(pad=0.6)
    return figure
