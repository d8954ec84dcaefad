"""numpy's ``.npz``: the arrays ``X`` and ``y``, and optionally ``lengths`` and ``groups``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.labels import written
from ssd_cli.archives.text import MOST
from ssd_cli.errors import SsdBenchError

_EXPECTED = (
    "Expected numbers X (n_cases, n_channels, n_timepoints) or (n_cases, n_timepoints), y (n_cases,), "
    "and optionally lengths (n_cases,) and groups (n_cases,), the last two whole numbers."
)


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part, without pickled objects or values after a series' length; `missing_label` is for files without ``y``."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in ("X", "y", "lengths", "groups") if key in stored}
    except Exception as error:  # zipfile, zlib and numpy have no common error for damaged files
        raise SsdBenchError(f"{path} cannot be read: {error}.", _EXPECTED) from error
    X, y = arrays.get("X"), arrays.get("y")
    if X is not None and y is None and missing_label is not None:
        y = np.full(len(X) if X.ndim else 0, missing_label)
    if X is None or y is None:
        raise SsdBenchError(f"{path} has no array {'X' if X is None else 'y'}.", _EXPECTED)
    if X.ndim == 2:
        X = X[:, None]
    if X.ndim != 3 or not X.size or X.dtype.kind not in "fiu" or y.shape != (len(X),):
        raise SsdBenchError(f"{path}: X is {X.shape} {X.dtype}, y is {y.shape}.", _EXPECTED)
    for key in ("lengths", "groups"):
        if key in arrays and (arrays[key].shape != (len(X),) or arrays[key].dtype.kind not in "iu"):
            raise SsdBenchError(f"{path}: {key} is {arrays[key].shape} {arrays[key].dtype}.", _EXPECTED)
    lengths = arrays.get("lengths", np.full(len(X), X.shape[2]))
    if lengths.min() < 1 or lengths.max() > X.shape[2]:
        raise SsdBenchError(f"{path}: lengths range from {lengths.min()} to {lengths.max()}.", f"Expected 1 to {X.shape[2]}.")
    if "groups" in arrays and arrays["groups"].max() > MOST:
        raise SsdBenchError(f"{path}: a group is {arrays['groups'].max()}.", "Expected whole numbers below 2^63.")
    X = X.astype(np.float64, copy=False)
    series = [np.ascontiguousarray(case[:, :length]) for case, length in zip(X, lengths.tolist(), strict=True)]
    groups = arrays["groups"].astype(np.int64) if "groups" in arrays else None
    labels = [written(label, partial(_wrong, path, case), missing_label) for case, label in enumerate(y.tolist())]
    return Part(series, np.array(labels), groups)


def _wrong(path: Path, case: int, what: str, expected: str) -> SsdBenchError:
    return SsdBenchError(f"{path}, case {case}: {what}.", expected)
