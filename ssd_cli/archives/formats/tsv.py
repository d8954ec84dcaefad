"""The UCR archive's ``.tsv``: one case per line, its label first, then the values of its only channel."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.labels import typed, written
from ssd_cli.archives.text import malformed, numbers, rows, without_filling

HOLDS_SUBJECTS = False
_HEADERS = ("label", "class", "target", "y")


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; short series are filled with NaN at the end, as in the archive. The error names the first malformed line."""
    return label_first(path, rows(path, "\t"), "tabs", equal_length, missing_label)


def label_first(
    path: Path, lines: Iterable[tuple[int, list[str]]], separators: str, equal_length: bool | None, missing_label: str | None
) -> Part:
    """Make a part of numbered lines, each the cells of a case; the error for a line without values names the `separators`."""
    X: list[np.ndarray] = []
    y: list[str] = []
    numbered: list[int] = []
    for line, cells in lines:
        if len(cells) < 2:
            raise malformed(path, line, "no values", f"Expected a label and values, with {separators} between them.")
        if X and len(cells) - 1 != X[0].shape[1]:
            expected = f"The lines before it have {X[0].shape[1]}; fill shorter series with NaN."
            raise malformed(path, line, f"{len(cells) - 1} values", expected)
        values = numbers(path, line, cells[1:], empty=True)
        if not X and cells[0].strip().lower() in _HEADERS and np.array_equal(np.diff(values), np.ones(len(values) - 1)):
            raise malformed(path, line, "a header of column names", "Expected a label and values on every line.")
        X.append(values[None])
        y.append(cells[0].strip())
        numbered.append(line)
    if not X:
        raise malformed(path, 1, "no case")
    labels = [written(label, partial(malformed, path, line), missing_label) for label, line in zip(typed(y), numbered, strict=True)]
    return Part(without_filling(X, equal_length, str(path)), np.array(labels))
