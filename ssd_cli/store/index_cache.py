"""The table of records as a file of numpy arrays without pickle; an unusable file is treated as absent."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core import atomic

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    States = npt.NDArray[np.int64]

VERSION = 4
"""Increase it with every change of the columns or their content."""


def save(folder: Path, frame: pd.DataFrame, states: States) -> None:
    """Write the rows and the states of their files; do nothing if the folder is not writable."""
    import numpy as np

    arrays: dict[str, Any] = {"states": states}
    header: dict[str, Any] = {"version": VERSION, "columns": list(frame.columns), "categories": {}, "texts": []}
    for column in frame.columns:
        if frame[column].dtype == "category":
            header["categories"][column] = list(frame[column].cat.categories)
            arrays[f"column.{column}"] = frame[column].cat.codes.to_numpy(np.int32)
        elif frame[column].dtype == "object":
            header["texts"].append(column)
            arrays[f"column.{column}"] = _bytes(json.dumps(list(frame[column])))
        else:
            arrays[f"column.{column}"] = frame[column].to_numpy()
    arrays["header"] = _bytes(json.dumps(header))
    content = io.BytesIO()
    np.savez(content, **arrays)
    try:
        files = [(folder / "records.npz", content.getvalue())]
        if not (folder / ".gitignore").exists():
            files.append((folder / ".gitignore", b"*\n"))
        atomic.write(files, folder / ".tmp")
        atomic.clean(folder / ".tmp")
    except OSError:
        return


def _bytes(text: str) -> npt.NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(text.encode(), dtype=np.uint8)


def load(folder: Path) -> tuple[list[str], States, pd.DataFrame | None]:
    """Return paths, states and rows as `save` wrote them; empty if there is no usable file."""
    import numpy as np
    import pandas as pd

    try:
        with np.load(folder / "records.npz", allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            if header["version"] != VERSION:
                raise ValueError("written by another release")
            columns: dict[str, Any] = {}
            for column in header["columns"]:
                values = arrays[f"column.{column}"]
                if column in header["categories"]:
                    values = pd.Categorical.from_codes(values, header["categories"][column])
                elif column in header["texts"]:
                    values = pd.Series(json.loads(values.tobytes()), dtype="object")
                columns[column] = values
            frame, states = pd.DataFrame(columns), arrays["states"]
        if states.shape != (len(frame), 8):
            raise ValueError("incomplete")
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        return [], np.zeros((0, 8), dtype=np.int64), None
    return list(frame["path"]), states, frame
