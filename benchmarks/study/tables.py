"""Write tables as CSV (all digits) and Markdown (few digits), and put Markdown tables into a page."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np

Table = tuple[list[str], list[list[object]]]
"""Head and rows."""

_PLACE = re.compile(r"(<!-- table: (?P<name>[a-z0-9_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write(folder: Path, name: str, table: Table, digits: int = 4, note: str = "", shown: Table | None = None) -> None:
    """Write <name>.csv, and <name>.md with `shown` (default: the same table) and a note below it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table[0], *([_blank(value) for value in row] for row in table[1])])
    (folder / f"{name}.csv").write_text(text.getvalue(), encoding="utf-8")
    write_markdown(folder, name, table if shown is None else shown, digits, note)


def write_markdown(folder: Path, name: str, table: Table, digits: int = 4, note: str = "") -> None:
    """Write <name>.md."""
    (folder / f"{name}.md").write_text(markdown(table, digits) + (f"\n{note}\n" if note else ""), encoding="utf-8")


def markdown(table: Table, digits: int = 4) -> str:
    """Return the table with `digits` decimals; columns of numbers are aligned to the right."""
    head, rows = table
    if not rows:
        return "*No results.*\n"
    right = [all(isinstance(row[place], int | float | np.number) or row[place] == "" for row in rows) for place in range(len(head))]
    lines = [head, ["--:" if flag else ":--" for flag in right], *([_shown(value, digits) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fill(page: Path, folder: Path) -> list[str]:
    """Replace the text between ``<!-- table: name -->`` and ``<!-- end -->`` by <name>.md; return the names."""
    names = []

    def put(match: re.Match[str]) -> str:
        names.append(match["name"])
        return f"{match[1]}\n{(folder / match['name']).with_suffix('.md').read_text(encoding='utf-8')}\n{match[3]}"

    page.write_text(_PLACE.sub(put, page.read_text(encoding="utf-8")), encoding="utf-8")
    return names


def _shown(value: object, digits: int) -> str:
    if isinstance(value, bool | str | int | np.integer):
        return re.sub(r"([|*])", r"\\\1", str(value))
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return "–"
    return f"{number:.1e}" if 0 < abs(number) < 0.5 * 10**-digits else f"{number:.{digits}f}"


def _blank(value: object) -> object:
    return "" if isinstance(value, float) and np.isnan(value) else value
