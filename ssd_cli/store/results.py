"""The folder of results: predictions and record of every cell, in tsml's layout, with one root per seed.

    <root>/seed<s>/<method>@<backbone>/Predictions/<dataset>/testResample<k>.csv and .json

The JSON file is written last and holds the digest of the CSV file. After a kill at any moment a cell is finished or absent.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ssd_cli.core import atomic
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store import tsml
from ssd_cli.store.record import Cell, CellRecord

if TYPE_CHECKING:
    from ssd_cli.store.tsml import Ints, Probabilities

_RESULTS = "seed*/*/Predictions"


def no_results(root: Path) -> MisuseError:
    """Return the error for a folder without results; it suggests a nearby folder that has results."""
    near = [folder for folder in (*root.resolve().parents[:4], *sorted(root.glob("*"))) if any(folder.glob(_RESULTS))]
    return MisuseError(
        f"{root} holds no results." + (f" Did you mean {near[0]}?" if near else ""),
        "Expected the output folder of 'ssd-bench run', with seed<s>/<method>@<backbone>/Predictions/<dataset>/ below it.",
        "" if near else "Fill it with: ssd-bench run --out DIR",
    )


class ResultStore:
    """Store of the records in one output folder of ``ssd-bench run``; the first write creates the folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def check_writable(self) -> None:
        """Raise SsdBenchError unless the folder can be created and written; call it before the computation."""
        with atomic.writing_to(self.root):
            probe = self.root / ".tmp" / "probe"
            atomic.write([(probe, b"")], self.root / ".tmp")
            probe.unlink(missing_ok=True)

    def paths(self, cell: Cell) -> tuple[Path, Path]:
        """Return the files of a cell: predictions (.csv) and record (.json)."""
        folder = self.root / f"seed{cell.seed}" / cell.folder / "Predictions" / cell.dataset
        return folder / f"testResample{cell.resample}.csv", folder / f"testResample{cell.resample}.json"

    def read(self, cell: Cell) -> CellRecord | None:
        """Read the record of a cell; return None if the record or the predictions are missing.

        A record that is malformed, of another protocol version, or of another cell raises an SsdBenchError.
        """
        predictions, path = self.paths(cell)
        try:
            record = CellRecord.from_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SsdBenchError(f"Cannot read {path}: {error.strerror}.") from error
        self.check_place(record, path)
        return None if record.predictions_sha256 and not predictions.is_file() else record

    def predictions(self, cell: Cell) -> tuple[Ints, Probabilities]:
        """Read the true class indices (n_cases,) and probabilities (n_cases, n_classes) of a cell."""
        path = self.paths(cell)[0]
        try:
            return tsml.read(path.read_bytes(), path)
        except OSError as error:
            raise SsdBenchError(f"Cannot read {path}: {error.strerror}.") from error

    def put(self, record: CellRecord, y: Ints | None = None, probabilities: Probabilities | None = None) -> CellRecord:
        """Write a record, replacing an earlier one, and return it with the digest of the predictions.

        A record with the status "ok" needs the true class indices `y` (n_cases,) of the test cases and probabilities (n_cases,
        n_classes). If the disk is full or not writable, the earlier files remain.
        """
        if (record.status == "ok") != (y is not None and probabilities is not None):
            raise ValueError("a record that is ok has predictions, any other has none")
        predictions, path = self.paths(record.cell)
        files = []
        if y is not None and probabilities is not None:
            content = tsml.write(record, y, probabilities)
            record = dataclasses.replace(record, predictions_sha256=hashlib.sha256(content).hexdigest())
            files.append((predictions, content))
        files.append((path, record.to_json().encode()))
        with atomic.writing_to(self.root):
            atomic.write(files, self.root / ".tmp", commit=path if len(files) > 1 else None)
            if len(files) == 1:
                predictions.unlink(missing_ok=True)
        return record

    def records(self) -> Iterator[CellRecord]:
        """Yield all records, in the order of their paths."""
        for path in sorted(self.root.glob("seed*/*/Predictions/*/testResample*.json")):
            record = CellRecord.from_json(path.read_bytes(), str(path))
            self.check_place(record, path)
            yield record

    def clean(self) -> int:
        """Remove the drafts of processes that have ended; return how many."""
        with atomic.writing_to(self.root):
            return atomic.clean(self.root / ".tmp")

    def check_place(self, record: CellRecord, path: Path) -> None:
        """Raise SsdBenchError unless `path` is the path of this cell's record."""
        if self.paths(record.cell)[1] != path:
            raise SsdBenchError(
                f"{path} holds the record of another cell: {record.cell}.",
                f"Expected it at {self.paths(record.cell)[1]}.",
                "Move it there, or delete it and run the same command again.",
            )
