"""Lines, numbers and labels of text files, shared by the formats."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Labels, Series
from ssd_cli.errors import SsdBenchError

MOST = 2**63 - 1
"""The largest whole number that an array of int64 holds."""

_NUMBER_LABEL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan", re.ASCII | re.IGNORECASE)
_WHOLE_LABEL = re.compile(r"([+-]?\d+)\.0*", re.ASCII)
NUMBER = r"\s*(?:[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?|\?|[nN][aA][nN])\s*"
"""Pattern of a value: a decimal number, or ``?`` or ``NaN`` where it is missing."""
_VALUE = re.compile(NUMBER, re.ASCII)


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


def number(path: Path, line: int, text: str, empty: bool = False) -> float:
    """Return the number in a text; NaN for ``?``, ``NaN`` and, if `empty`, for an empty text."""
    text = text.strip()
    if not (_VALUE.fullmatch(text) or (empty and not text)):
        raise malformed(path, line, f"a value is '{shown(text)}'", "Expected a number, or ? or NaN where it is missing.")
    value = math.nan if text in ("", "?") else float(text)
    if math.isinf(value):
        raise malformed(path, line, "a value is too large for a 64-bit number")
    return value


def label(path: Path, line: int, text: str) -> str:
    """Return a label without surrounding blanks and in lower case, as aeon does."""
    text = text.strip().lower()
    if not text or not text.isprintable():
        raise malformed(path, line, f"the label is '{shown(text)}'", "Expected a printable text.")
    return text


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


def as_labels(values: np.ndarray | Sequence[object], where: str) -> Labels:
    """Convert labels to text: whole numbers without a decimal point, everything in lower case."""
    labels = []
    written: dict[str, str] = {}  # the first spelling of every label
    for case, value in enumerate(values.tolist() if isinstance(values, np.ndarray) else values):
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        text = str(whole).strip() if isinstance(whole, str | int) and not isinstance(whole, bool) else ""
        if not text or not text.isprintable():
            raise SsdBenchError(f"{where}, case {case}: the label is {shown(repr(value))}.", "Expected a text or a whole number.")
        labels.append(text.lower())
        first = written.setdefault(labels[-1], text)
        if first != text:
            raise SsdBenchError(
                f"{where}, case {case}: the label '{shown(text)}' differs from the earlier label '{shown(first)}' by case only.",
                "Labels are read in lower case, as in aeon, so both would be one class.",
                "Rename one of the two labels, or write both in the same way.",
            )
    return np.array(labels)


def typed(texts: Sequence[str]) -> Sequence[object]:
    """Convert untyped labels to numbers if all are numbers and one has a decimal point, as in a column of floats."""
    if any("." in text for text in texts) and all(map(_NUMBER_LABEL.fullmatch, texts)):
        return [float(text) for text in texts]
    return texts


def plain(text: str) -> str:
    """Return the form in which labels of different files are compared: ``1.0`` and ``1`` are the same label."""
    text = text.strip().lower()
    whole = _WHOLE_LABEL.fullmatch(text)
    return whole[1] if whole else text


def csv_rows(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file, header included, without a byte order mark and without empty rows at the end."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            rows = list(reader)
        except csv.Error as error:
            raise malformed(path, reader.line_num, f"not comma-separated text ({error})") from error
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    return rows


def whole_number(text: str) -> int | None:
    """Return the whole number (0 to `MOST`) in a text, or None."""
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MOST)) or int(text) > MOST:
        return None
    return int(text)


def shown(text: str) -> str:
    """Return a piece of a file that is safe to print."""
    return ascii(text.strip()[:40])[1:-1]
