"""Parquet, in the forms of `ssd_cli.archives.tabular`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.tabular import EXPECTED, TEXTS, Table, part_of
from ssd_cli.errors import SsdBenchError


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; without a column ``label``, `missing_label` replaces every label, if it is given."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise SsdBenchError(
            f"{path}: reading Parquet needs pyarrow, which is not installed.", "", "pip install 'ssd-bench[parquet]'"
        ) from error
    try:
        table = parquet.ParquetFile(path).read()
        columns = [name for name in table.column_names if name not in TEXTS]
        values = np.empty((table.num_rows, len(columns)))
        for index, name in enumerate(columns):
            values[:, index] = table.column(name).cast("float64").to_numpy()
        texts = {name: table.column(name).to_pylist() for name in table.column_names if name in TEXTS}
    except (ArrowException, OSError, KeyError) as error:
        raise SsdBenchError(f"{path} cannot be read: {error}.", EXPECTED) from error
    return part_of(Table(path, 0, texts, columns, values), table.column_names, equal_length, missing_label)
