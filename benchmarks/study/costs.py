"""Accuracy against what it costs: training in CPU seconds, inference in multiply-accumulates, both relative to `single`.

Training is counted in CPU seconds (`cpu_seconds` of the records: all networks of the method, shared ones too, as if it were alone),
since the machine was shared with other work and wall-clock seconds would say more about that than about the method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tables

from ssd_cli.leaderboard.facts import MATCHED
from ssd_cli.leaderboard.figures import looks, number_points, wrap_name
from ssd_cli.statistics.ranks import rank_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from suites import Loaded

HEAD = [
    "method", "accuracy", "average rank", "average rank at 1x inference", "training CPU x single", "inference MACs x single",
    "CPU seconds of training", "trainings", "networks stored", "datasets timed", "datasets",
]  # fmt: skip
TRAINING = HEAD.index("training CPU x single")


def costs(one: Loaded, methods: list[str]) -> tables.Table:
    """A row a method, the best average rank first, on the datasets that all of them completed; empty without `single`.

    Ratios are geometric means over datasets; CPU seconds count where all cells ran on one kind of processor. Where no dataset has
    that, they are those of the methods whose cells ran on the kind of processor of `single` throughout. The rank at 1x
    inference is among the methods that need no more multiply-accumulates than `single`, but for one per cent; others have none. A
    network that is trained further counts as another training: `swa` trains one network in two.
    """
    columns = ("accuracy", "cpu_seconds", "macs", "trainings", "networks_stored")
    found = {name: one.done(methods, name) for name in columns}
    datasets, accuracy = found["accuracy"]
    if "single" not in methods or not datasets:
        return HEAD, []
    base = methods.index("single")
    (timed, seconds), on_one = found["cpu_seconds"], one.on_one_processor(methods)
    alike = [dataset in on_one for dataset in timed]
    if any(alike):
        found["cpu_seconds"] = timed, seconds[alike]
    else:
        names = one.processors()
        same = [all(len(names[dataset, method] | names[dataset, "single"]) == 1 for dataset in timed) for method in methods]
        found["cpu_seconds"] = timed, np.where(same, seconds, np.nan)
    training, inference = (
        np.exp(np.log(found[name][1] / found[name][1][:, [base]]).mean(axis=0)) for name in ("cpu_seconds", "macs")
    )
    matched = inference <= MATCHED
    ranks, among = rank_scores(accuracy).mean(axis=0), np.full(len(methods), np.nan)
    among[matched] = rank_scores(accuracy[:, matched]).mean(axis=0)
    means = {name: values.mean(axis=0) for name, (_, values) in found.items()}
    columns_ = [means["accuracy"], ranks, among, training, inference]
    columns_ += [means[name] for name in ("cpu_seconds", "trainings", "networks_stored")]
    order = np.lexsort((-means["accuracy"], ranks))
    counts = [len(found["cpu_seconds"][1]), len(datasets)]
    return HEAD, [[methods[i], *(float(column[i]) for column in columns_), *counts] for i in order]


def short(table: tables.Table) -> tables.Table:
    """The same in fewer columns, for reading."""
    head, rows = table
    return head[:6], [row[:6] for row in rows]


def draw(table: tables.Table, title: str) -> Figure:
    """Mean accuracy above the cost of training and of inference; a number is the method's place by average rank."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    head, rows = table
    names = [str(row[0]) for row in rows]
    chosen = looks(names)
    figure = Figure(figsize=(9.4, max(3.8, 0.9 + 0.2 * len(rows))), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    labels = {"training CPU x single": "training, CPU seconds × single", "inference MACs x single": "inference, MACs × single"}
    for one, column in zip(axes, labels, strict=True):
        at = np.array([row[head.index(column)] for row in rows], dtype=float)
        height = np.array([row[1] for row in rows], dtype=float)
        for place, name in enumerate(names):
            look = chosen[name]
            one.plot(at[place], height[place], color=look.color, marker=look.marker, markersize=6, linestyle="", zorder=3)
        one.set_xscale("log")
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if 0.8 * np.nanmin(at) <= tick <= 1.25 * np.nanmax(at)]
        one.set_xticks(ticks)
        one.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        one.xaxis.set_minor_formatter(NullFormatter())
        one.set_xlabel(labels[column], fontsize=9)
        one.grid(color="#eeeeee", zorder=0)
        one.tick_params(labelsize=8)
        one.margins(0.12)
        if np.nanmax(at) < 2 * np.nanmin(at):  # costs that are equal but for some percent are not to look far apart
            middle = np.sqrt(np.nanmin(at) * np.nanmax(at))
            one.set_xlim(middle / 2, middle * 2)
    axes[0].set_ylabel("accuracy" if rows[0][-1] == 1 else f"mean accuracy, {rows[0][-1]} datasets", fontsize=9)
    handles = [axes[0].plot([], [], color=chosen[n].color, marker=chosen[n].marker, linestyle="", markersize=5)[0] for n in names]
    texts = [f"{place + 1}  {wrap_name(name, 32)}" for place, name in enumerate(names)]
    legend = figure.legend(handles, texts, loc="center left", bbox_to_anchor=(0.71, 0.5), fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.suptitle(title, fontsize=9, x=0.08, ha="left", y=0.985)
    figure.subplots_adjust(left=0.08, right=0.7, bottom=0.13, top=0.92, wspace=0.06)
    figure.canvas.draw()
    for one, column in zip(axes, labels, strict=True):
        number_points(one, *(np.array([row[place] for row in rows], dtype=float) for place in (head.index(column), 1)))
    return figure
