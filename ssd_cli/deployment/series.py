"""Read the series to classify, with their labels if the file has them."""

from __future__ import annotations

from pathlib import Path

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.read import read_part
from ssd_cli.archives.text import plain
from ssd_cli.deployment.runtime import Model
from ssd_cli.errors import MisuseError

_UNLABELLED = "?"


def read_series(path: Path, model: Model) -> tuple[list[Series], list[str] | None]:
    """Read raw series of shapes (n_channels, n_timepoints_i) and their labels, or None, for a model.

    Named channels are put into the model's order. Labels that differ from a class of the model only in a decimal point are
    written as the model writes them. The file has any format of the archives; ``.npz``, ``.csv`` and ``.parquet`` may lack labels.

    Raises
    ------
    SsdBenchError
        The file is malformed, or has channels of other names than the model; pickled objects are never loaded.
    """
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.")
    part = read_part(path, equal_length=True if model.about["equal_length"] else None, missing_label=_UNLABELLED)
    part = part.in_order_of(model.channels, str(path), "the model")
    labels = part.y.tolist()
    if set(labels) == {_UNLABELLED}:
        return part.X, None
    known = {plain(label): label for label in model.classes} | {label: label for label in model.classes}
    return part.X, [known.get(label, known.get(plain(label), label)) for label in labels]
