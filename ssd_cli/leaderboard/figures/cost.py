"""Mean accuracy against multiply-accumulates and against training seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.drawing import GREY, Look, blank, looks, wrap_name
from ssd_cli.metrics import RANKED

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.compare import Comparison

Floats = npt.NDArray[np.float64]


def draw(comparison: Comparison) -> Figure | None:
    """Draw mean accuracy against MACs, and against training seconds if they are comparable, with the Pareto fronts."""
    summary = comparison.summary
    panels = [
        ("macs", "multiply-accumulates of one prediction", summary.pareto_inference),
        ("fit_seconds_alone", "seconds of training, alone", summary.pareto_training),
    ]
    panels = [panel for panel in panels[: 2 if summary.times_compare else 1] if np.isfinite(summary.get(panel[0])).any()]
    if not panels:
        return None
    names = comparison.names
    lines = [wrap_name(f"{place + 1}  {name}", 42).replace("\n", "\n     ") for place, name in enumerate(names)]
    n_lines = sum(1 + line.count("\n") for line in lines)
    height = max(3.6, 0.75 + 0.16 * n_lines)
    figure = blank(4.2 * len(panels) + 3.3, height)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for one, (name, title, front) in zip(axes, panels, strict=True):
        _panel(one, comparison, summary.values[name], front)
        one.set_xlabel(title, fontsize=9)
    axes[0].set_ylabel(f"mean accuracy, {len(comparison.complete_datasets)} datasets", fontsize=9)
    left = 4.2 * len(panels) / (4.2 * len(panels) + 3.3)
    figure.subplots_adjust(left=0.8 / (4.2 * len(panels) + 3.3), right=left, bottom=0.5 / height, top=1 - 0.3 / height, wspace=0.08)
    figure.canvas.draw()
    for one, (name, _, _) in zip(axes, panels, strict=True):
        number_points(one, summary.values[name], summary.values[RANKED])
    chosen, y = looks(names), height - 0.3
    for name, line in zip(names, lines, strict=True):
        x = 4.2 * len(panels) + 0.15
        look = chosen[name]
        figure.add_artist(_marker(x, y - 0.05, look, figure))
        figure.text((x + 0.13) / figure.get_figwidth(), y / height, line, fontsize=8, va="top", parse_math=False, gid="legend")
        y -= 0.16 * (1 + line.count("\n"))
    figure.text(0.62 / figure.get_figwidth(), 1 - 0.2 / height, "Grey line: Pareto front. Numbers: places by average rank.",
                fontsize=7.5, color=GREY)  # fmt: skip
    return figure


def _marker(x: float, y: float, look: Look, figure: Figure) -> Artist:
    from matplotlib.lines import Line2D

    return Line2D([x / figure.get_figwidth()], [y / figure.get_figheight()], color=look.color, marker=look.marker, markersize=5,
                  linestyle="", transform=figure.transFigure, figure=figure)  # fmt: skip


def _panel(axes: Axes, comparison: Comparison, costs: Floats, front: npt.NDArray[np.bool_]) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    accuracy, chosen = comparison.summary.values[RANKED], looks(comparison.names)
    for place, name in enumerate(comparison.names):
        look = chosen[name]
        axes.plot(costs[place], accuracy[place], color=look.color, marker=look.marker, markersize=6, linestyle="", zorder=3)
    order = np.flatnonzero(front)[np.argsort(costs[front])]
    axes.step(costs[order], accuracy[order], where="post", color="#999999", linewidth=1.2, zorder=1)
    if (costs[np.isfinite(costs)] > 0).all():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.15)
    axes.tick_params(labelsize=8)
    axes.grid(color="#eeeeee", zorder=0)


def number_points(axes: Axes, costs: Floats, accuracy: Floats) -> None:
    """Write the place of each method near its point, without overlaps; the figure must already be drawn."""
    scale = axes.figure.dpi / 72
    points = [axes.transData.transform((x, y)) for x, y in zip(costs, accuracy, strict=True)]
    taken: list[tuple[float, float, float, float]] = [
        (x - 3.5 * scale, y - 3.5 * scale, x + 3.5 * scale, y + 3.5 * scale) for x, y in points if np.isfinite(x)
    ]
    for place, (x, y) in enumerate(points):
        if not np.isfinite(x):
            continue
        text = str(place + 1)
        width, height = 5 * len(text) * scale, 8 * scale
        for radius, angle in ((r, a) for r in range(9, 90, 6) for a in np.arange(0.4, 6.6, np.pi / 6)):
            at = (x + radius * scale * np.cos(angle), y + radius * scale * np.sin(angle))
            box = (at[0] - width / 2, at[1] - height / 2, at[0] + width / 2, at[1] + height / 2)
            inside = axes.bbox.x0 < box[0] and box[2] < axes.bbox.x1 and axes.bbox.y0 < box[1] and box[3] < axes.bbox.y1
            if inside and not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        line = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2} if radius > 12 else None
        away = ((at[0] - x) / scale, (at[1] - y) / scale)
        axes.annotate(text, (costs[place], accuracy[place]), away, textcoords="offset points", fontsize=8, ha="center", va="center",
                      gid="number", arrowprops=line)  # fmt: skip


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
