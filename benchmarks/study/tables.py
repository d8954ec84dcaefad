"""Tables as CSV with all digits and as Markdown with few, and their place in a page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ssd_cli.leaderboard.table import as_csv

Table = tuple[list[str], list[list[object]]]
"""Head and rows."""

_PLACE = re.compile(r"(<!-- table: (?P<name>[a-z0-9_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write(folder: Path, name: str, table: Table, digits: int = 4, note: str = "") -> None:
    """Write <name>.csv and <name>.md; the note stands below the Markdown table."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder, name, table)
    write_markdown(folder, name, table, digits, note)


def write_markdown(folder: Path, name: str, table: Table, digits: int = 4, note: str = "") -> None:
    """Write <name>.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(markdown(table, digits) + (f"\n{note}\n" if note else ""), encoding="utf-8")


def write_csv(folder: Path, name: str, table: Table) -> None:
    """Write <name>.csv with all digits; NaN is empty."""
    head, rows = table
    (folder / f"{name}.csv").write_bytes(as_csv([list(head), *([_blank(value) for value in row] for row in rows)]))


def markdown(table: Table, digits: int = 4) -> str:
    """The table with numbers to the right and `digits` decimals."""
    head, rows = table
    if not rows:
        return "*Nothing yet.*\n"
    right = [all(isinstance(row[place], int | float | np.number) or row[place] == "" for row in rows) for place in range(len(head))]
    lines = [_line(head), _line(["--:" if flag else ":--" for flag in right])]
    return "\n".join([*lines, *(_line([_shown(value, digits) for value in row]) for row in rows)]) + "\n"


def fill(page: Path, folder: Path) -> list[str]:
    """Put <name>.md of a folder between ``<!-- table: name -->`` and ``<!-- end -->`` of a page; return the names found."""
    text, names = page.read_text(encoding="utf-8"), []

    def put(match: re.Match[str]) -> str:
        names.append(match["name"])
        source = folder / f"{match['name']}.md"
        body = source.read_text(encoding="utf-8") if source.is_file() else "*Not there yet.*\n"
        return f"{match[1]}\n{body}\n{match[3]}"

    page.write_text(_PLACE.sub(put, text), encoding="utf-8")
    return names


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(value: object, digits: int) -> str:
    if isinstance(value, bool | str | int | np.integer):
        return re.sub(r"([|*])", r"\\\1", str(value))
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return "–"
    return f"{number:.1e}" if 0 < abs(number) < 0.5 * 10**-digits else f"{number:.{digits}f}"


def _blank(value: object) -> object:
    return "" if isinstance(value, float) and np.isnan(value) else value
