"""Series to classify, with their labels where the file has them."""

from __future__ import annotations

from pathlib import Path

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.read import read_part
from ssd_cli.errors import MisuseError

_UNLABELLED = "?"


def read_series(path: Path, equal_length: bool | None = None) -> tuple[list[Series], list[str] | None]:
    """Read raw series of shapes (n_channels, n_timepoints_i) and their labels, or None.

    Parameters
    ----------
    path : Path
        A file as the archives have them: ``.npz``, ``.ts``, ``.csv``, ``.parquet``, …; the first, the third and the fourth may come
        without labels.
    equal_length : bool, optional
        As of `read_part`.

    Raises
    ------
    SsdBenchError
        The file is malformed; pickled objects are never loaded.
    """
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.")
    part = read_part(path, equal_length=equal_length, missing_label=_UNLABELLED)
    labels = part.y.tolist()
    return part.X, None if set(labels) == {_UNLABELLED} else labels
