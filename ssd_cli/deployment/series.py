"""Series to classify, with their labels where the file has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.read import read_part
from ssd_cli.errors import MisuseError, SsdBenchError


def read_series(path: Path) -> tuple[list[Series], list[str] | None]:
    """Read raw series of shapes (n_channels, n_timepoints_i) and their labels, or None.

    Parameters
    ----------
    path : Path
        ``.npz`` with an array X (n_cases, n_channels, n_timepoints) or (n_cases, n_timepoints) and optionally y; ``.ts``, ``.csv``,
        ``.parquet`` as the archives have them.

    Raises
    ------
    SsdBenchError
        The file is malformed; pickled objects are never loaded.
    """
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.")
    if path.suffix != ".npz":
        part = read_part(path)
        return part.X, part.y.tolist()
    try:
        with np.load(path, allow_pickle=False) as stored:
            X = stored["X"]
            y = [str(label) for label in stored["y"].tolist()] if "y" in stored else None
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own for damaged files
        raise SsdBenchError(f"{path} cannot be read: {error}.", "Expected an array X without pickled objects.") from error
    if X.ndim == 2:
        X = X[:, None]
    if X.ndim != 3 or X.dtype.kind not in "fiu":
        raise SsdBenchError(f"{path}: X is {X.shape} {X.dtype}.", "Expected numbers (n_cases, n_channels, n_timepoints).")
    if y is not None and len(y) != len(X):
        raise SsdBenchError(f"{path}: {len(y)} labels for {len(X)} series.")
    return list(X.astype(np.float64)), y
