"""Parquet, in the forms of `ssd_cli.archives.tabular`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.tabular import EXPECTED, TEXTS, Table, check_columns, part_of
from ssd_cli.archives.text import malformed, number
from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    from pyarrow import ChunkedArray


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; without a column ``label``, `missing_label` replaces every label, if it is given."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise SsdBenchError(
            f"{path}: reading Parquet needs pyarrow, which is not installed.", "", "pip install 'ssd-bench[parquet]'"
        ) from error
    try:
        table = parquet.ParquetFile(path).read()
        check_columns(path, 0, table.column_names, missing_label)
        columns = [name for name in table.column_names if name not in TEXTS]
        values = np.empty((table.num_rows, len(columns)))
        for index, name in enumerate(columns):
            values[:, index] = _values(path, table.column(name))
        texts = {name: table.column(name).to_pylist() for name in table.column_names if name in TEXTS}
    except SsdBenchError:
        raise
    except Exception as error:  # pyarrow's errors for damaged files have no common base class
        raise SsdBenchError(f"{path} cannot be read: {error}.", EXPECTED) from error
    return part_of(Table(path, 0, texts, columns, values), equal_length, missing_label)


def _values(path: Path, column: ChunkedArray) -> np.ndarray:
    """Return a column of numbers, or of texts of numbers as in a ``.csv``, shape (n_rows,)."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_string(column.type) or types.is_large_string(column.type):
        texts = enumerate(column.to_pylist())
        return np.array([number(text or "", partial(malformed, path, row), empty=True) for row, text in texts], dtype=np.float64)
    return column.cast("float64").to_numpy()
