"""The critical-difference diagram (Demšar 2006) with the caption, laid out in inches from measured texts, without overlaps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.leaderboard.caption import caption, warning
from ssd_cli.leaderboard.drawing import GREY, blank, wrap_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.compare import Comparison

_INK, _BAR = "#000000", "#0072B2"
"""The blue of Okabe and Ito's palette, which colour-blind readers can distinguish from black, also in print."""

_LABEL, _SMALL = 9.0, 7.5  # points
_LINE, _SMALL_LINE = 0.165, 0.135  # inches per line of text
_MARGIN = 0.2
_AXIS_WIDTH, _AXIS_Y = 4.6, 0.55
_NUMBER, _HALVES = 0.25, 0.1  # inches: width of a number on the axis; width of a rank from which half ranks have a mark
_GAP = 0.2  # inches between the axis and the ends of the lines to the labels
_FIRST_BAR, _BAR_STEP = 0.14, 0.12
_WRAP = 34  # characters per line of a label


class _Scale(NamedTuple):
    """Conversion of ranks to inches; rank 1 is on the right."""

    low: int
    high: int
    left: float

    def x(self, rank: float) -> float:
        return self.left + _AXIS_WIDTH * (self.high - rank) / (self.high - self.low)


class _Label(NamedTuple):
    """Text at the end of the line from (x, axis) down to y and sideways to `end`."""

    text: str
    x: float
    y: float
    end: float
    side: str


def draw(comparison: Comparison) -> Figure:
    """Draw the average ranks, the best on the right, with lines to the names, and a bar per group without differences."""
    figure = blank(1, 1)
    ranks = comparison.average_ranks.tolist()
    texts = [_text(name, rank) for name, rank in zip(comparison.names, ranks, strict=True)]
    n_right = (len(texts) + 1) // 2
    left_width, right_width = (max(_width(figure, text, _LABEL) for text in part) for part in (texts[n_right:], texts[:n_right]))
    low, high = math.floor(min(ranks) + 1e-9), math.ceil(max(ranks) - 1e-9)
    scale = _Scale(low, max(high, low + 1), _MARGIN + left_width + _GAP)
    width = scale.left + _AXIS_WIDTH + _GAP + right_width + _MARGIN

    bars = _bars(comparison, [scale.x(rank) for rank in ranks])
    n_levels = 1 + max((level for *_, level in bars), default=-1)
    labels = _labels(texts, [scale.x(rank) for rank in ranks], scale, _AXIS_Y + _FIRST_BAR + _BAR_STEP * n_levels + 0.16)
    bottom = max(label.y + _LINE * label.text.count("\n") for label in labels) + 0.38
    notes = [
        (line, color)
        for color, part in ((_INK, warning(comparison)), (GREY, caption(comparison)))
        for note in part
        for line in _filled(figure, note, width - 2 * _MARGIN)
    ]
    height = bottom + _SMALL_LINE * (len(notes) - 1) + _MARGIN

    figure.set_size_inches(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    _draw_axis(axes, scale)
    for label in labels:
        _draw_label(axes, label)
    for start, end, level in bars:
        y = _AXIS_Y + _FIRST_BAR + _BAR_STEP * level
        axes.plot([start, end], [y, y], color=_BAR, linewidth=4, solid_capstyle="butt", zorder=3, gid=f"clique-{start:.2f}")
    for number, (note, color) in enumerate(notes):
        y = bottom + _SMALL_LINE * number
        axes.text(_MARGIN, y, note, fontsize=_SMALL, color=color, va="baseline", parse_math=False, gid="note")
    return figure


def _labels(texts: list[str], x: list[float], scale: _Scale, top: float) -> list[_Label]:
    """Place the better half on the right, from the best downwards, and the worse half on the left, so that no lines cross."""
    n_right = (len(texts) + 1) // 2
    right, left = range(n_right), range(len(texts) - 1, n_right - 1, -1)
    labels = []
    for places, side, end in ((right, "left", scale.left + _AXIS_WIDTH + _GAP), (left, "right", scale.left - _GAP)):
        y = top
        for place in places:
            labels.append(_Label(texts[place], x[place], y, end, side))
            y += _LINE * (1 + texts[place].count("\n")) + 0.045
    return labels


def _bars(comparison: Comparison, x: list[float]) -> list[tuple[float, float, int]]:
    """Return start, end and level of each bar; bars that would touch get different levels."""
    bars: list[tuple[float, float, int]] = []
    for first, last in comparison.cliques:
        if first == last:
            continue
        start, end, level = x[last] - _overhang(x, last, last + 1), x[first] + _overhang(x, first, first - 1), 0
        while any(level == other and start < there + 0.08 and here - 0.08 < end for here, there, other in bars):
            level += 1
        bars.append((start, end, level))
    return bars


def _overhang(x: list[float], end: int, beyond: int) -> float:
    """Return the overhang of a bar beyond its last method; it is smaller than the distance to the next method."""
    return min(0.05, 0.4 * abs(x[end] - x[beyond])) if 0 <= beyond < len(x) else 0.05


def _draw_axis(axes: Axes, scale: _Scale) -> None:
    y = _AXIS_Y
    axes.plot([scale.x(scale.low), scale.x(scale.high)], [y, y], color=_INK, linewidth=1.2, solid_capstyle="projecting")
    room = _AXIS_WIDTH / (scale.high - scale.low)
    step = next((step for step in (1, 2, 5, 10, 20, 50) if step * room >= _NUMBER), 100)
    for rank in range(scale.low, scale.high + 1):
        if rank % step == 0:
            axes.plot([scale.x(rank)] * 2, [y, y - 0.09], color=_INK, linewidth=1.2)
            axes.text(scale.x(rank), y - 0.11, str(rank), fontsize=_LABEL, ha="center", va="bottom")
        if rank < scale.high and room >= _HALVES:
            axes.plot([scale.x(rank + 0.5)] * 2, [y, y - 0.05], color=_INK, linewidth=0.8)
    axes.text(
        scale.left + _AXIS_WIDTH / 2, 0.2, "average rank, best on the right", fontsize=_SMALL, color=GREY, ha="center", va="bottom"
    )


def _draw_label(axes: Axes, label: _Label) -> None:
    axes.plot(
        [label.x, label.x, label.end], [_AXIS_Y, label.y, label.y], color=_INK, linewidth=0.8, solid_joinstyle="miter", gid="tick"
    )
    shift = 0.05 if label.side == "left" else -0.05
    for number, line in enumerate(label.text.split("\n")):
        y = label.y + 0.045 + _LINE * number  # the lead line ends at half the height of the first line of text
        axes.text(label.end + shift, y, line, fontsize=_LABEL, ha=label.side, va="baseline", parse_math=False, gid="label")


def _text(name: str, rank: float) -> str:
    return f"{wrap_name(name, _WRAP)}  {rank:.2f}"


def _filled(figure: Figure, text: str, width: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _width(figure, f"{lines[-1]} {word}", _SMALL) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _width(figure: Figure, text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties

    renderer, font = figure.canvas.get_renderer(), FontProperties(size=size)  # type: ignore[attr-defined]
    return 1.01 * max(renderer.get_text_width_height_descent(line, font, False)[0] for line in text.split("\n")) / figure.dpi
