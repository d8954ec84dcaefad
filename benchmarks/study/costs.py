"""Relate accuracy to costs: CPU seconds of training and multiply-accumulates of inference, relative to `single`.

CPU seconds (`cpu_seconds` of the records) count all networks of a method as if it were trained alone. They are used because other
programs ran on the same machine: wall-clock seconds would measure those programs too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tables

from ssd_cli.leaderboard.drawing import looks, wrap_name
from ssd_cli.leaderboard.figures.cost import number_points
from ssd_cli.metrics import MATCHED
from ssd_cli.statistics.ranks import rank_scores

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from suites import Loaded

HEAD = [
    "method", "accuracy", "average rank", "average rank at 1x inference", "training CPU x single", "inference MACs x single",
    "CPU seconds of training", "datasets timed", "datasets",
]  # fmt: skip
NOTE = (
    "Datasets: {}, of which {} are timed: all their cells ran on one kind of processor. Training: CPU seconds. "
    "Ratios: geometric means over datasets."
)


def costs(one: Loaded) -> tables.Table:
    """Return a row for each method, sorted by average rank, on the datasets that all methods completed."""
    methods = one.methods
    found = {name: one.done(methods, name) for name in ("accuracy", "cpu_seconds", "macs")}
    datasets, accuracy = found["accuracy"]
    seconds = _comparable_seconds(one, *found["cpu_seconds"])
    base = methods.index("single")
    training, inference = (np.exp(np.log(v / v[:, [base]]).mean(axis=0)) for v in (seconds, found["macs"][1]))
    matched = inference <= MATCHED
    ranks, among = rank_scores(accuracy).mean(axis=0), np.full(len(methods), np.nan)
    among[matched] = rank_scores(accuracy[:, matched]).mean(axis=0)
    columns = [accuracy.mean(axis=0), ranks, among, training, inference, seconds.mean(axis=0)]
    order = np.lexsort((-accuracy.mean(axis=0), ranks))
    counts = [len(seconds), len(datasets)]
    return HEAD, [[methods[i], *(float(column[i]) for column in columns), *counts] for i in order]


def _comparable_seconds(one: Loaded, datasets: list[str], seconds: np.ndarray) -> np.ndarray:
    """Keep the datasets that ran on one kind of processor; without any, the methods that ran on the kind of `single`."""
    alike = [dataset in one.on_one_processor(one.methods) for dataset in datasets]
    if any(alike):
        return seconds[alike]
    same = [set(datasets) <= one.on_one_processor([method, "single"]) for method in one.methods]
    return np.where(same, seconds, np.nan)


def write(one: Loaded, out: Path) -> None:
    """Write costs_<suite>.csv and .md."""
    table = costs(one)
    completed, timed = table[1][0][-1], table[1][0][-2]
    tables.write(out, f"costs_{one.name}", table, 3, NOTE.format(completed, timed), (HEAD[:6], [row[:6] for row in table[1]]))


def draw(one: Loaded) -> Figure:
    """Draw mean accuracy against the cost of training and of inference; numbers are places by average rank."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    rows = costs(one)[1]
    names = [str(row[0]) for row in rows]
    style = looks(names)
    height = np.array([row[1] for row in rows], dtype=float)
    figure = Figure(figsize=(9.4, max(3.8, 0.9 + 0.2 * len(rows))), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.08, right=0.7, bottom=0.13, top=0.97, wspace=0.06)
    labels = {"training CPU x single": "training, CPU seconds × single", "inference MACs x single": "inference, MACs × single"}
    for panel, (column, label) in zip(axes, labels.items(), strict=True):
        at = np.array([row[HEAD.index(column)] for row in rows], dtype=float)
        for place, name in enumerate(names):
            panel.plot(
                at[place], height[place], color=style[name].color, marker=style[name].marker, markersize=6, linestyle="", zorder=3
            )
        panel.set_xscale("log")
        panel.set_xticks([tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if 0.8 * at.min() <= tick <= 1.25 * at.max()])
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set_xlabel(label, fontsize=9)
        panel.grid(color="#eeeeee", zorder=0)
        panel.margins(0.12)
        figure.canvas.draw()
        number_points(panel, at, height)
    axes[0].set_ylabel(f"mean accuracy, {rows[0][-1]} datasets", fontsize=9)
    handles = [axes[0].plot([], [], color=style[n].color, marker=style[n].marker, linestyle="")[0] for n in names]
    texts = [f"{place + 1}  {wrap_name(name, 32)}" for place, name in enumerate(names)]
    figure.legend(handles, texts, loc="center left", bbox_to_anchor=(0.71, 0.5), fontsize=8, frameon=False)
    return figure
