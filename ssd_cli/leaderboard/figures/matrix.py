"""The multi-comparison matrix (Ismail-Fawaz et al. 2023, arXiv 2305.11921) of every pair of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.leaderboard.caption import p_text
from ssd_cli.leaderboard.drawing import GREY, blank, wrap_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.compare import Comparison

_CELL_WIDTH, _CELL_HEIGHT = 0.74, 0.5  # inches
_TOP, _MARGIN = 0.4, 0.12
_WRAP = 34  # characters per line of a name
_CHARACTER = 0.072  # inches: largest width of a character at 8 points
_INK = "#000000"
_MAP = "RdBu"
"""Pale shades from red through white to blue, which colour-blind readers can distinguish, under black text."""
_PALEST, _DARKEST = 0.25, 0.75


def draw(comparison: Comparison) -> Figure:
    """Draw mean difference (row minus column), wins/ties/losses and adjusted p of every pair, bold if it differs."""
    n = len(comparison.names)
    labels = [
        wrap_name(f"{place + 1}  {name}", _WRAP) + f"\n{mean:.4f}"
        for place, (name, mean) in enumerate(zip(comparison.names, comparison.mean_scores, strict=True))
    ]
    heights = [max(_CELL_HEIGHT, 0.08 + 0.135 * (1 + label.count("\n"))) for label in labels]
    left = 2 * _MARGIN + _CHARACTER * max(len(line) for label in labels for line in label.split("\n"))
    width = max(left + n * _CELL_WIDTH + _MARGIN, 5.5)
    notes = _notes(comparison, int((width - 2 * _MARGIN) / 0.058))
    height = _TOP + sum(heights) + 0.2 + 0.14 * len(notes)
    figure = blank(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    largest = max(float(np.nanmax(np.abs(comparison.effects.mean))), 1e-12)
    y = _TOP
    for i, label in enumerate(labels):
        axes.text(left + (i + 0.5) * _CELL_WIDTH, _TOP - 0.08, str(i + 1), fontsize=8, ha="center", va="bottom", gid="column")
        axes.text(left - _MARGIN, y + heights[i] / 2, label, fontsize=8, ha="right", va="center", parse_math=False, gid="row")
        for j in range(n):
            if i != j:
                _cell(axes, comparison, (i, j), (left + j * _CELL_WIDTH, y, heights[i]), largest)
        y += heights[i]
    axes.text(_MARGIN, 0.2, "accuracy, row minus column", fontsize=7.5, color=GREY, va="baseline")
    for number, line in enumerate(notes):
        axes.text(_MARGIN, y + 0.22 + 0.14 * number, line, fontsize=7.5, color=GREY, va="baseline", parse_math=False, gid="note")
    return figure


def _cell(axes: Axes, comparison: Comparison, pair: tuple[int, int], place: tuple[float, float, float], largest: float) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    (x, y, height), difference = place, float(comparison.effects.mean[pair])
    shade = 0.5 if np.isnan(difference) else 0.5 + (_DARKEST - _PALEST) / 2 * difference / largest
    axes.add_patch(Rectangle((x, y), _CELL_WIDTH, height, facecolor=colormaps[_MAP](shade), edgecolor="white", linewidth=1.2))
    counts = "/".join(str(part[pair]) for part in comparison.contests)
    p = "p " + p_text(float(comparison.tests.adjusted[pair])).removeprefix("= ")
    weight = "bold" if comparison.tests.different[pair] else "normal"
    text = "–" if np.isnan(difference) else f"{difference:+.4f}\n{counts}\n{p}"
    axes.text(x + _CELL_WIDTH / 2, y + height / 2, text, fontsize=6.5, ha="center", va="center", color=_INK, fontweight=weight,
              linespacing=1.15, gid="cell")  # fmt: skip


def _notes(comparison: Comparison, width: int) -> list[str]:
    import textwrap

    n = len(comparison.datasets)
    where = f"on {n} dataset{'s' * (n != 1)}"
    missing = ""
    if np.isnan(comparison.scores).any():
        where = "on the datasets that both have"
        missing = f" On the others of {n} the one that lacks a score counts as worse, in these numbers and in p."
    first = (
        f"Each cell: mean difference in accuracy {where}, datasets won/tied/lost by the row, corrected p; bold where the two "
        f"differ; blue where the row is better.{missing} Below the names: mean accuracy."
    )
    return [line for text in (first, comparison.verdicts.test) for line in textwrap.wrap(text, width)]
