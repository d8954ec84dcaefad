"""The UCR archive's ``.tsv``: one case per line, its label first, then the values of its only channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.text import label, malformed, number, without_blank_end, without_filling

HOLDS_SUBJECTS = False


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; short series are filled with NaN at the end, as in the archive. The error names the first malformed line."""
    X, y, n_values = [], [], 0
    line = 0
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line, text in without_blank_end(enumerate(file, start=1)):
            first, *values = text.rstrip("\r\n").split("\t")
            if not values:
                raise malformed(path, line, "no values", "Expected a label and values, with tabs between them.")
            n_values = n_values or len(values)
            if len(values) != n_values:
                expected = f"The lines before it have {n_values}; fill shorter series with NaN."
                raise malformed(path, line, f"{len(values)} values", expected)
            y.append(label(path, line, first))
            X.append(np.array([[number(path, line, value) for value in values]]))
    if not X:
        raise malformed(path, line, "no case")
    return Part(without_filling(X, equal_length, str(path)), np.array(y))
