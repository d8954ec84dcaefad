"""What the formats that store a table have in common."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Labels, Series
from ssd_cli.archives.scan import malformed
from ssd_cli.errors import SsdBenchError

MOST = 2**63 - 1
"""The largest whole number that an array of int64 holds."""

_NUMBER_LABEL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan", re.ASCII | re.IGNORECASE)
_WHOLE_LABEL = re.compile(r"([+-]?\d+)\.0*", re.ASCII)
_VALUE = re.compile(r"\s*(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|\?|[nN][aA][nN]|)\s*", re.ASCII)


def number(path: Path, line: int, text: str, empty: bool = False) -> float:
    """The number that a text stands for; NaN for ``?``, ``NaN`` and, where `empty` is true, for nothing."""
    text = text.strip()
    if not _VALUE.fullmatch(text) or (not text and not empty):
        raise malformed(path, line, f"a value is '{shown(text)}'", "Expected a number, or ? or NaN where it is missing.")
    value = math.nan if text in ("", "?") else float(text)
    if math.isinf(value):
        raise malformed(path, line, "a value is too large for a 64-bit number")
    return value


def label(path: Path, line: int, text: str) -> str:
    """A label, without blanks around it and in lower case, as aeon has it."""
    text = text.strip().lower()
    if not text or not text.isprintable():
        raise malformed(path, line, f"the label is '{shown(text)}'", "Expected a printable text.")
    return text


def without_filling(X: Sequence[Series], equal_length: bool | None, where: str) -> list[Series]:
    """Series (n_channels, n_timepoints) without the steps at their ends at which all channels are missing.

    Where the dataset is known to have equal lengths these are missing values, and stay.

    Raises
    ------
    SsdBenchError
        A series has no value at all.
    """
    if equal_length:
        return list(X)
    cut = []
    for case, series in enumerate(X):
        (there,) = np.nonzero(~np.isnan(series).all(axis=0))
        if not len(there):
            raise SsdBenchError(f"{where}, case {case}: the series has no value.", "Expected at least one.")
        cut.append(np.ascontiguousarray(series[:, : there[-1] + 1]))
    return cut


def as_labels(values: np.ndarray | Sequence[object], where: str) -> Labels:
    """Labels as text: whole numbers without a decimal point, everything in lower case.

    Raises
    ------
    SsdBenchError
        A label is empty, missing, or a number that is not whole, or two labels differ by case only.
    """
    labels = []
    written: dict[str, str] = {}  # every label as it stands where it first occurs
    for case, value in enumerate(values.tolist() if isinstance(values, np.ndarray) else values):
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        text = str(whole).strip() if isinstance(whole, str | int) and not isinstance(whole, bool) else ""
        if not text or not text.isprintable():
            raise SsdBenchError(f"{where}, case {case}: the label is {shown(repr(value))}.", "Expected a text or a whole number.")
        labels.append(text.lower())
        first = written.setdefault(labels[-1], text)
        if first != text:
            raise SsdBenchError(
                f"{where}, case {case}: the label '{shown(text)}' differs from '{shown(first)}' before it by case only.",
                "Labels are read in lower case, as aeon reads them, which would make one class of the two.",
                "Give one of them another name, or write both alike.",
            )
    return np.array(labels)


def typed(texts: Sequence[str]) -> Sequence[object]:
    """Labels of a text without types: numbers where all are and one has a decimal point, as a column of floats is written."""
    if any("." in text for text in texts) and all(map(_NUMBER_LABEL.fullmatch, texts)):
        return [float(text) for text in texts]
    return texts


def plain(text: str) -> str:
    """A label as labels of different files are compared: what one writes as ``1.0`` is ``1`` in another."""
    text = text.strip().lower()
    whole = _WHOLE_LABEL.fullmatch(text)
    return whole[1] if whole else text


def csv_rows(path: Path) -> list[list[str]]:
    """The rows of a comma-separated text, header included, without empty ones at the end; a byte order mark is none of its text.

    Raises
    ------
    SsdBenchError
        A quote is not closed, or the text is otherwise not comma-separated.
    """
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
    """The whole number, from 0 to `MOST`, that a text stands for; None where it stands for none."""
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MOST)) or int(text) > MOST:
        return None
    return int(text)


def shown(text: str) -> str:
    """A piece of a file that is safe to print."""
    return ascii(text[:40])[1:-1]
