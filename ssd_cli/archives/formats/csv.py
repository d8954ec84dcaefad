"""Comma-separated text with a header, in the forms of `ssd_cli.archives.tabular`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.tabular import TEXTS, Table, part_of
from ssd_cli.archives.text import malformed, number, typed


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; without a column ``label``, `missing_label` replaces every label, if it is given."""
    texts: dict[str, list[str]] = {}
    values = []
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
                raise malformed(
                    path, 1, "semicolons or tabs separate the cells", "Expected commas there, and points in decimal numbers."
                )
            is_text = [name in TEXTS for name in header]
            texts = {name: [] for name in header if name in TEXTS}
            empty = 0
            for row in reader:
                if not row:
                    empty = empty or reader.line_num
                    continue
                if empty:
                    raise malformed(path, empty, "an empty line among the cases")
                if len(row) != len(header):
                    raise malformed(path, reader.line_num, f"{len(row)} cells", f"The header has {len(header)}.")
                for name, cell in zip(header, row, strict=True):
                    if name in texts:
                        texts[name].append(cell.strip())
                cells = [cell for cell, text in zip(row, is_text, strict=True) if not text]
                values.append(np.array([number(path, reader.line_num, cell, empty=True) for cell in cells]))
        except csv.Error as error:
            raise malformed(path, reader.line_num, f"not comma-separated text ({error})") from error
    labels = {"label": typed(texts["label"])} if "label" in texts else {}
    columns = [name for name in header if name not in TEXTS]
    table = Table(path, 2, {**texts, **labels}, columns, np.array(values).reshape(len(values), len(columns)))
    return part_of(table, header, equal_length, missing_label)
