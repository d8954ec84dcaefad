"""Comma-separated text with a header, in the forms of `ssd_cli.archives.tabular`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.labels import typed
from ssd_cli.archives.tabular import TEXTS, Table, check_columns, part_of
from ssd_cli.archives.text import malformed, numbers, rows


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; without a column ``label``, `missing_label` replaces every label, if it is given."""
    lines = rows(path)
    header = [name.strip() for name in next(lines, (1, []))[1]]
    if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
        raise malformed(path, 1, "semicolons or tabs separate the cells", "Expected commas there, and points in decimal numbers.")
    check_columns(path, 1, header, missing_label)
    texts: dict[str, list[str]] = {name: [] for name in header if name in TEXTS}
    values = []
    for line, row in lines:
        if not row:
            raise malformed(path, line, "an empty line among the cases")
        if len(row) != len(header):
            raise malformed(path, line, f"{len(row)} cells", f"The header has {len(header)}.")
        for name, cell in zip(header, row, strict=True):
            if name in texts:
                texts[name].append(cell.strip())
        values.append(numbers(path, line, [cell for name, cell in zip(header, row, strict=True) if name not in texts], empty=True))
    labels = {"label": typed(texts["label"])} if "label" in texts else {}
    columns = [name for name in header if name not in TEXTS]
    table = Table(path, 2, {**texts, **labels}, columns, np.array(values).reshape(len(values), len(columns)))
    return part_of(table, equal_length, missing_label)
