"""Boxes of the differences between each method and `single`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.leaderboard.drawing import GREY, blank, looks, wrap_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.compare import Comparison


def draw(comparison: Comparison) -> Figure:
    """Draw the differences to `single` by dataset, or to the first method of the leaderboard if `single` is absent."""
    names = comparison.names
    bases = [i for i, one in enumerate(comparison.rows) if one.method == "single" and not one.external]
    base = bases[0] if bases else 0
    others = [i for i in range(len(names)) if i != base]
    labels = [wrap_name(names[i], 46) for i in others]
    n_lines = np.array([2.0 + label.count("\n") for label in labels])  # plus an empty line between two labels
    height = 0.9 + 0.17 * n_lines.sum()
    figure = blank(7.5, height)
    axes, chosen = figure.subplots(), looks(names)
    values = [comparison.scores[:, i] - comparison.scores[:, base] for i in others]
    places = n_lines / 2 - np.cumsum(n_lines)
    boxes = axes.boxplot(
        [part[np.isfinite(part)] for part in values],
        orientation="horizontal", positions=places, widths=1.1, whis=(5, 95), showmeans=True, patch_artist=True,
        medianprops={"color": "black", "linewidth": 1.4}, flierprops={"markersize": 3, "marker": "o", "markeredgecolor": GREY},
        meanprops={"marker": "D", "markersize": 4, "markerfacecolor": "white", "markeredgecolor": "black"},
    )  # fmt: skip
    for i, box in zip(others, boxes["boxes"], strict=True):
        box.set(facecolor=chosen[names[i]].color, alpha=0.55)
    axes.axvline(0, color=GREY, linewidth=0.8)
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
