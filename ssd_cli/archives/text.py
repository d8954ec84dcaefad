"""Lines, cells and numbers of text files, shared by the formats."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Series
from ssd_cli.errors import SsdBenchError

MOST = 2**63 - 1
"""The largest whole number that an array of int64 holds."""

NUMBER = r"\s*(?:[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?|\?|[nN][aA][nN])\s*"
"""Pattern of a value: a decimal number, or ``?`` or ``NaN`` where it is missing."""
_VALUE = re.compile(NUMBER, re.ASCII)
_EMPTY = re.compile(r"\s*", re.ASCII)


def malformed(path: Path, line: int, what: str, expected: str = "") -> SsdBenchError:
    """Return the error for a file that has a mistake on a line."""
    remedy = "Correct the line."
    if path.stem in (f"{path.parent.name}_TRAIN", f"{path.parent.name}_TEST"):  # the layout of archives
        remedy = f"Correct the line, or remove {path.parent} and fetch the dataset again."
    return SsdBenchError(f"{path}, line {line}: {what}.", expected, remedy)


def without_blank_end(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without blank lines at the end; other blank lines stay."""
    blank: list[tuple[int, str]] = []
    for number, line in lines:
        blank.append((number, line))
        if line.strip():
            yield from blank
            blank.clear()


def rows(path: Path, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the cells of each row, without a byte order mark and without empty lines at the end.

    Cells may stand in quotes, with quotes doubled inside, as ``csv`` and pandas write them.
    """
    empty: list[tuple[int, list[str]]] = []
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        try:
            for row in reader:
                empty.append((reader.line_num, row))
                if len(row) > 1 or "".join(row).strip():
                    yield from empty
                    empty.clear()
        except csv.Error as error:
            what = "comma-separated text" if separator == "," else "tab-separated text"
            raise malformed(path, reader.line_num, f"not {what} ({error})") from error


def csv_rows(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file, header included, without empty rows at the end."""
    found = [row for _, row in rows(path)]
    while found and not any(cell.strip() for cell in found[-1]):
        found.pop()
    return found


def number(text: str, wrong: Callable[[str, str], SsdBenchError], empty: bool = False) -> float:
    """Return the number in a text; NaN for ``?``, ``NaN`` and, if `empty`, for an empty text.

    `wrong` makes the error from what happened and what was expected.
    """
    if empty and _EMPTY.fullmatch(text):
        return math.nan
    if not _VALUE.fullmatch(text):
        raise wrong(f"a value is '{shown(text)}'", "Expected a number, or ? or NaN where it is missing.")
    value = float(text.replace("?", "nan"))
    if math.isinf(value):
        raise wrong("a value is too large for a 64-bit number", "")
    return value


def numbers(path: Path, line: int, texts: Iterable[str], empty: bool = False) -> np.ndarray:
    """Return the numbers (n_values,) on a line of a file; see `number`."""
    wrong = partial(malformed, path, line)
    return np.array([number(text, wrong, empty) for text in texts], dtype=np.float64)


def without_filling(X: Sequence[Series], equal_length: bool | None, where: str) -> list[Series]:
    """Remove the steps at the end of series (n_channels, n_timepoints) at which all channels are missing.

    If the dataset is known to have equal lengths, these steps are missing values and stay. A series without any value is an error.
    """
    if equal_length:
        return list(X)
    cut = []
    for case, series in enumerate(X):
        (there,) = np.nonzero(~np.isnan(series).all(axis=0))
        if not len(there):
            raise SsdBenchError(f"{where}, case {case}: the series has no value.", "Expected at least one value.")
        cut.append(np.ascontiguousarray(series[:, : there[-1] + 1]))
    return cut


def whole_number(text: str) -> int | None:
    """Return the whole number (0 to `MOST`) in a text, or None."""
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MOST)) or int(text) > MOST:
        return None
    return int(text)


def shown(text: str) -> str:
    """Return a piece of a file that is safe to print."""
    return ascii(text.strip()[:40])[1:-1]
