"""Scatter plots of the first method of the leaderboard against every other method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.leaderboard.drawing import GREY, blank, looks, wrap_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.compare import Comparison

_PANEL = 2.2  # inches


def draw(comparison: Comparison) -> Figure:
    """Draw a panel per method: one point per dataset, above the diagonal where the first method is better."""
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
    look = looks(comparison.names)[comparison.names[place]]
    counts = "/".join(str(part[0, place]) for part in comparison.contests)
    verdict = "different" if comparison.tests.different[0, place] else "not different"
    axes.plot(limits, limits, color=GREY, linewidth=0.8)
    axes.scatter(comparison.scores[:, place], comparison.scores[:, 0], s=14, color=look.color, marker=look.marker, linewidths=0)
    axes.set_title(f"wins/ties/losses {counts}, {verdict}", fontsize=7.5, color=GREY)
    axes.set(xlim=limits, ylim=limits)
    axes.tick_params(labelsize=7)
