"""Figures of a comparison: each file of this folder is one figure, with a function ``draw(comparison)``.

The name of a figure, and of its files, is the name of its file. A new file is drawn by ``compare --figures``.
"""

from __future__ import annotations

import dataclasses
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ssd_cli.core.text import printable
from ssd_cli.leaderboard.drawing import FORMATS, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ssd_cli.leaderboard.compare import Comparison

DIAGRAM = "cd"
"""The critical-difference diagram, which is always written."""


def names() -> list[str]:
    """Return the names of all figures; none is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def draw(name: str, comparison: Comparison) -> Figure | None:
    """Draw a figure; None if the comparison lacks its data. The same comparison gives the same bytes."""
    rows = tuple(dataclasses.replace(row, name=printable(row.name)) for row in comparison.rows)  # SVG permits no control characters
    comparison = dataclasses.replace(comparison, rows=rows)
    figure: Figure | None = import_module(f"{__name__}.{name}").draw(comparison)
    return figure


def write_figures(
    comparison: Comparison, folder: Path, formats: tuple[str, ...] = ("svg", "png"), chosen: tuple[str, ...] = (DIAGRAM,)
) -> list[Path]:
    """Write the chosen figures in every format."""
    drawn = {name: draw(name, comparison) for name in chosen}
    return [path for name, figure in drawn.items() if figure is not None for path in save(figure, name, folder, formats)]


def left_over(folder: Path, written: list[Path]) -> list[Path]:
    """Return the figures in the folder that were not just written, and may show an earlier comparison."""
    possible = [folder / f"{name}.{form}" for name in names() for form in FORMATS]
    return [path for path in possible if path not in written and path.exists()]
