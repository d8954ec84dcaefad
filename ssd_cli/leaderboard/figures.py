"""Accuracy against cost, the leader against every other method, boxes of differences; the same comparison gives the same bytes."""

from __future__ import annotations

import io
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ssd_cli.core import atomic
from ssd_cli.errors import MisuseError
from ssd_cli.metrics import RANKED

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.comparison import Comparison

Floats = npt.NDArray[np.float64]

FORMATS = ("svg", "png", "pdf")
FIGURES = ("matrix", "scatter", "differences", "cost")
"""Names of the files of `write_all`."""
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette without its yellow, which is too pale for a point."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DPI = 200
_GREY = "#555555"
_PANEL = 2.2  # inches, of a panel of the scatter
_METADATA: dict[str, dict[str, None]] = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}


class Look(NamedTuple):
    """Colour and marker of a method."""

    color: str
    marker: str


def looks(names: list[str]) -> dict[str, Look]:
    """By the order of the names, so that a method looks the same in all figures of a comparison; 49 methods all differ."""
    ordered = sorted(names)
    return {name: Look(_COLORS[i % 7], _MARKERS[(i // 7 + i) % 7]) for i, name in enumerate(ordered)}


def check_formats(formats: tuple[str, ...]) -> None:
    """Raise MisuseError unless all formats are known."""
    for name in formats:
        if name not in FORMATS:
            raise MisuseError(f"Unknown format '{name}' of a figure.", f"Expected some of {', '.join(FORMATS)}.")


def write_all(comparison: Comparison, folder: Path, formats: tuple[str, ...] = ("svg", "png")) -> list[Path]:
    """Write matrix, scatter, differences and cost in every format; the figure of costs only where costs are known.

    Raises
    ------
    SsdBenchError
        If the folder cannot be written.
    """
    from ssd_cli.leaderboard.matrix import matrix

    drawn = dict(zip(FIGURES, (matrix(comparison), scatter(comparison), differences(comparison), cost(comparison)), strict=True))
    return [path for name, figure in drawn.items() if figure is not None for path in save(figure, name, folder, formats)]


def left_over(folder: Path, written: list[Path]) -> list[Path]:
    """Figures of an earlier comparison in the folder, which need not show what was `written` now."""
    possible = [folder / f"{name}.{form}" for name in (*FIGURES, "cd") for form in FORMATS]
    return [path for path in possible if path not in written and path.exists()]


def save(figure: Figure, name: str, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write a figure as <name>.<format>, without dates in it."""
    from matplotlib import rc_context

    check_formats(formats)
    files = []
    with rc_context({"svg.hashsalt": "ssd-bench"}):
        for form in formats:
            content = io.BytesIO()
            figure.savefig(content, format=form, dpi=_DPI, metadata=_METADATA[form], facecolor="white")
            files.append((folder / f"{name}.{form}", content.getvalue()))
    return atomic.write_into(folder, files)


def cost(comparison: Comparison) -> Figure | None:
    """Mean accuracy against MACs of one prediction, and against seconds of training if these compare, with the Pareto fronts."""
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
        _cost_panel(one, comparison, summary.values[name], front)
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
                fontsize=7.5, color=_GREY)  # fmt: skip
    return figure


def scatter(comparison: Comparison) -> Figure:
    """The first of the leaderboard against each other method: a point a dataset, above the diagonal where the first is better."""
    n = len(comparison.names) - 1
    n_columns = min(4, n)
    names = [wrap_name(name, 32) for name in comparison.names[1:]]
    rows = [names[start : start + n_columns] for start in range(0, n, n_columns)]
    heights = [_PANEL + 0.62 + 0.13 * max(1 + name.count("\n") for name in row) for row in rows]
    leader = wrap_name(comparison.names[0], 60)
    left = 0.25 + 0.17 * (1 + leader.count("\n"))
    width, height = left + (_PANEL + 0.5) * n_columns, sum(heights) + 0.05
    figure = blank(width, height)
    finite = comparison.scores[np.isfinite(comparison.scores)]
    low, high = float(finite.min()), float(finite.max())
    pad = max(0.02, 0.05 * (high - low))
    for place in range(1, n + 1):
        row, column = divmod(place - 1, n_columns)
        x, y = left + 0.3 + (_PANEL + 0.5) * column, height - sum(heights[:row]) - 0.3 - _PANEL
        one = figure.add_axes((x / width, y / height, _PANEL / width, _PANEL / height))
        _panel(one, comparison, place, (low - pad, high + pad))
        one.set_xlabel(names[place - 1], fontsize=7.5, parse_math=False)
    figure.text(0.08 / width, 0.5, leader, fontsize=9, rotation=90, ha="left", va="center", parse_math=False)
    return figure


def _panel(axes: Axes, comparison: Comparison, place: int, limits: tuple[float, float]) -> None:
    """The leader against the method at `place`."""
    look = looks(comparison.names)[comparison.names[place]]
    counts = "/".join(str(part[0, place]) for part in comparison.contests)
    verdict = "different" if comparison.tests.different[0, place] else "not different"
    axes.plot(limits, limits, color=_GREY, linewidth=0.8)
    axes.scatter(comparison.scores[:, place], comparison.scores[:, 0], s=14, color=look.color, marker=look.marker, linewidths=0)
    axes.set_title(f"wins/ties/losses {counts}, {verdict}", fontsize=7.5, color=_GREY)
    axes.set(xlim=limits, ylim=limits)
    axes.tick_params(labelsize=7)


def differences(comparison: Comparison) -> Figure:
    """Boxes of the differences by dataset to `single`, or to the first of the leaderboard where there is none."""
    names = comparison.names
    bases = [i for i, one in enumerate(comparison.rows) if one.method == "single" and not one.external]
    base = bases[0] if bases else 0
    others = [i for i in range(len(names)) if i != base]
    labels = [wrap_name(names[i], 46) for i in others]
    n_lines = np.array([2.0 + label.count("\n") for label in labels])  # with an empty one between two labels
    height = 0.9 + 0.17 * n_lines.sum()
    figure = blank(7.5, height)
    axes, chosen = figure.subplots(), looks(names)
    values = [comparison.scores[:, i] - comparison.scores[:, base] for i in others]
    places = n_lines / 2 - np.cumsum(n_lines)
    boxes = axes.boxplot(
        [part[np.isfinite(part)] for part in values],
        orientation="horizontal", positions=places, widths=1.1, whis=(5, 95), showmeans=True, patch_artist=True,
        medianprops={"color": "black", "linewidth": 1.4}, flierprops={"markersize": 3, "marker": "o", "markeredgecolor": _GREY},
        meanprops={"marker": "D", "markersize": 4, "markerfacecolor": "white", "markeredgecolor": "black"},
    )  # fmt: skip
    for i, box in zip(others, boxes["boxes"], strict=True):
        box.set(facecolor=chosen[names[i]].color, alpha=0.55)
    axes.axvline(0, color=_GREY, linewidth=0.8)
    axes.set_yticks(places, labels, fontsize=8)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(-n_lines.sum() - 0.2, 0.2)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel(
        textwrap.fill(f"accuracy minus {names[base]}, by dataset (box: quartiles; whiskers: 5 and 95 %; diamond: mean)", 80),
        fontsize=8, parse_math=False,
    )  # fmt: skip
    figure.tight_layout(pad=0.6)
    return figure


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches, which can measure its texts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def _marker(x: float, y: float, look: Look, figure: Figure) -> Artist:
    from matplotlib.lines import Line2D

    return Line2D([x / figure.get_figwidth()], [y / figure.get_figheight()], color=look.color, marker=look.marker, markersize=5,
                  linestyle="", transform=figure.transFigure, figure=figure)  # fmt: skip


def _cost_panel(axes: Axes, comparison: Comparison, costs: Floats, front: npt.NDArray[np.bool_]) -> None:
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
    """Write each point's place at the nearest spot where it covers neither another number nor another point.

    Parameters
    ----------
    axes : Axes
        Of a figure that has been drawn, so that positions are known.
    costs, accuracy : ndarray, shape (n_methods,)
    """
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


def wrap_name(name: str, width: int) -> str:
    """The name in lines of at most `width` characters, broken behind a comma, @, [, + or : where there is one."""
    lines, pieces = [""], re.split(r"(?<=[,@\[+:])", name)
    for piece in (part[i : i + width] for part in pieces for i in range(0, len(part), width)):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)
