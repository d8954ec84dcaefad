"""Colours, markers, names and files of all figures."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.core import atomic
from ssd_cli.errors import MisuseError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito without yellow, which is too pale for a point."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DPI = 200
GREY = "#555555"
_METADATA: dict[str, dict[str, None]] = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}


class Look(NamedTuple):
    """Colour and marker of a method."""

    color: str
    marker: str


def looks(names: list[str]) -> dict[str, Look]:
    """Return the look of each name, the same in all figures of a comparison; up to 49 looks differ."""
    ordered = sorted(names)
    return {name: Look(_COLORS[i % 7], _MARKERS[(i // 7 + i) % 7]) for i, name in enumerate(ordered)}


def check_formats(formats: tuple[str, ...]) -> None:
    """Raise MisuseError unless all formats are known."""
    for name in formats:
        if name not in FORMATS:
            raise MisuseError(f"Unknown format '{name}' of a figure.", f"Expected some of {', '.join(FORMATS)}.")


def save(figure: Figure, name: str, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write a figure as <name>.<format>, without dates."""
    from matplotlib import rc_context

    check_formats(formats)
    files = []
    with rc_context({"svg.hashsalt": "ssd-bench"}):
        for form in formats:
            content = io.BytesIO()
            figure.savefig(content, format=form, dpi=DPI, metadata=_METADATA[form], facecolor="white")
            files.append((folder / f"{name}.{form}", content.getvalue()))
    return atomic.write_into(folder, files)


def blank(width: float, height: float) -> Figure:
    """Return an empty figure with this size in inches, which can measure its texts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def wrap_name(name: str, width: int) -> str:
    """Return the name in lines of at most `width` characters, broken after a comma, @, [, + or : if possible."""
    lines, pieces = [""], re.split(r"(?<=[,@\[+:])", name)
    for piece in (part[i : i + width] for part in pieces for i in range(0, len(part), width)):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)
