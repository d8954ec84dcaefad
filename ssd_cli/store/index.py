"""All records of a folder as one table; only changed files are read again.

Reading 67,200 records takes a minute; reading the state of their files takes half a second. The table is therefore stored in
``<root>/.index``, each row with the state of its two files (modification and status-change time, size, inode). A row is read again
if the state has changed, or if a file changed within two seconds before the look: it could change again without another time stamp.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import digest
from ssd_cli.core import atomic
from ssd_cli.errors import SsdBenchError
from ssd_cli.metrics import METRICS, all_scores
from ssd_cli.store import index_cache, tsml
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    States = npt.NDArray[np.int64]

_FOLDER = ".index"
SETTLED_NS = 2_000_000_000
"""The coarsest clock of a common file system (FAT) ticks every two seconds."""

_REPEATED = (
    "dataset", "method", "backbone", "recipe", "folder", "status", "dataset_digest", "preparation", "configuration", "predictions",
    "device", "execution",
)  # fmt: skip
_TEXTS = ("path", "reason", "identity_hash")
_NUMBERS = ("resample", "seed", "protocol_version", "threads", "has_digest")
_SEED, _RECORD = re.compile(r"seed\d+"), re.compile(r"testResample\d+")
_ABSENT, _MAX = (0, 0, -1, 0), 2**63 - 1


def load_index(
    root: Path,
    on_reading: Callable[[int], None] | None = None,
    on_unreadable: Callable[[str, SsdBenchError], None] | None = None,
) -> pd.DataFrame:
    """Return a table with one row per record.

    `on_reading` gets the number of new or changed records before they are read. `on_unreadable` gets path and error of each
    unreadable record, which has no row; by default the first error is raised.

    The table has categorical columns `_REPEATED`, text columns `_TEXTS`, integer columns `_NUMBERS` (threads: 0 if not recorded;
    has_digest: 0 for a record without a digest of itself)
    and one float column for every number among scores and costs, named by `Metric.key`. ``path`` is relative to root, without
    suffix. ``configuration`` is a digest of the entries that all records of one method share. ``predictions`` is "ok", "missing",
    "" for a cell without predictions, or "changed" if the file's digest differs from the recorded one; scores are then computed
    from the file. ``execution`` ends in ", together" if cells were trained jointly.
    """
    import numpy as np

    root = Path(root)
    before = time.time_ns()
    paths, states = _scan(root)
    cached_paths, cached_states, kept = index_cache.load(root / _FOLDER)
    cached = _frame([]) if kept is None else kept
    place = {path: row for row, path in enumerate(cached_paths)}
    rows = np.array([place.get(path, -1) for path in paths], dtype=np.int64)
    known = rows >= 0
    known[known] = (cached_states[rows[known]] == states[known]).all(axis=1)
    if known.all() and len(paths) == len(cached_paths):
        return cached.iloc[rows].reset_index(drop=True)
    if on_reading is not None:
        on_reading(int((~known).sum()))
    read = [_read_or_report(root, paths[row], on_unreadable) for row in np.flatnonzero(~known)]
    deleted = np.array([row is None for row in read], dtype=bool)
    fresh = _frame([row for row in read if row is not None])
    frame = _joined(cached.iloc[rows[known]], fresh)
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)[~deleted]])
    sequence = np.argsort(order, kind="stable")
    frame = frame.iloc[sequence].reset_index(drop=True)
    frame = frame.assign(**{column: frame[column].cat.remove_unused_categories() for column in _REPEATED})
    states = states[order[sequence]]
    states[(states[:, [0, 1, 4, 5]] > before - SETTLED_NS).any(axis=1)] = 0
    if root.is_dir():
        index_cache.save(root / _FOLDER, frame, states)
    return frame


def _scan(root: Path) -> tuple[list[str], States]:
    """Return the paths of all records and the states of their JSON and CSV files: modification and change time, size, inode."""
    import numpy as np

    found: list[tuple[str, tuple[int, ...]]] = []
    for folder in _folders(root):
        base = os.path.relpath(folder, root).replace(os.sep, "/")
        with os.scandir(folder) as entries:
            states = {entry.name: state for entry in entries if (state := state_of(entry)) is not None}
        for name, state in states.items():
            stem, _, suffix = name.rpartition(".")
            if suffix == "json" and _RECORD.fullmatch(stem):
                found.append((f"{base}/{stem}", state + states.get(f"{stem}.csv", _ABSENT)))
    found.sort()
    paths = [path for path, _ in found]
    return paths, np.array([state for _, state in found], dtype=np.int64).reshape(-1, 8)


def state_of(entry: os.DirEntry[str]) -> tuple[int, ...] | None:
    """Return the state, or None if the file was deleted since it was listed, as when a cell is being replaced."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino & _MAX


def _folders(root: Path) -> Iterator[str]:
    """Yield every ``seed<s>/<method>@<backbone>/Predictions/<dataset>`` below the root."""
    for seed in _subfolders(root):
        if _SEED.fullmatch(os.path.basename(seed)):  # noqa: PTH119 - pathlib would take a second for all folders
            for method in _subfolders(seed):
                yield from _subfolders(f"{method}/Predictions")


def _subfolders(folder: Path | str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SsdBenchError(f"Cannot read {folder}: {error.strerror}.") from error


def _read_or_report(root: Path, path: str, report: Callable[[str, SsdBenchError], None] | None) -> dict[str, Any] | None:
    try:
        return read_row(root, path)
    except SsdBenchError as error:
        if report is None:
            raise
        report(path, error)
        return None


def read_row(root: Path, path: str) -> dict[str, Any] | None:
    """Return the row of one record; None if the record was deleted in the meantime."""
    record_path, predictions_path = root / f"{path}.json", root / f"{path}.csv"
    while True:
        content = _content(record_path)
        if content is None:
            return None
        record = CellRecord.from_json(content, str(record_path))
        ResultStore(root).check_place(record, record_path)
        if record.predictions_sha256 is None:
            return _row(path, record, "")
        predictions = _content(predictions_path)
        if predictions is not None and hashlib.sha256(predictions).hexdigest() == record.predictions_sha256:
            return _row(path, record, "ok")
        if _content(record_path) == content:  # otherwise another process replaced the cell between the two readings
            if predictions is None:
                return _row(path, record, "missing")
            return _row(path, _rescored(record, predictions, predictions_path), "changed")


def _rescored(record: CellRecord, predictions: bytes, path: Path) -> CellRecord:
    try:
        return dataclasses.replace(record, scores=all_scores(*tsml.read(predictions, path)))
    except ValueError as error:
        raise SsdBenchError(
            f"{path} was changed after it was written, and its scores are impossible: {error}.",
            "Expected the probabilities that 'ssd-bench run' wrote.",
            "Delete the file and the .json beside it and run the same command again: only this cell is computed again.",
        ) from error


def _content(path: Path) -> bytes | None:
    try:
        return atomic.content(path)
    except OSError as error:
        raise SsdBenchError(f"Cannot read {path}: {error.strerror}.") from error


def _row(path: str, record: CellRecord, predictions: str) -> dict[str, Any]:
    cell, spec = record.cell, record.spec
    identity = spec.to_identity()
    renamed = {metric.recorded: metric.key for metric in METRICS.values()}
    measured = {
        renamed.get(name, name): float(value)
        for name, value in (record.costs | record.scores).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return measured | {
        "path": path,
        "dataset": cell.dataset,
        "method": cell.method,
        "backbone": cell.backbone,
        "recipe": cell.recipe,
        "folder": cell.folder,
        "status": record.status,
        "reason": record.reason or "",
        "identity_hash": record.identity_hash,
        "dataset_digest": spec.dataset_digest,
        "preparation": json.dumps(spec.preparation, sort_keys=True),
        "configuration": digest({key: identity[key] for key in ("method", "backbone", "recipe", "protocol_version")}),
        "predictions": predictions,
        "device": spec.device,
        "execution": f"{spec.execution}{', together' if spec.together else ''}",
        "resample": cell.resample,
        "seed": cell.seed,
        "protocol_version": spec.protocol_version,
        "threads": spec.threads,
        "has_digest": int(record.has_digest),
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=None if rows else [*_TEXTS, *_REPEATED, *_NUMBERS])
    kinds = dict.fromkeys(_REPEATED, "category") | dict.fromkeys(_TEXTS, "object") | dict.fromkeys(_NUMBERS, "int64")
    return frame.astype(kinds).astype(dict.fromkeys(frame.columns.difference(list(kinds)), "float64"))


def _joined(kept: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if kept.empty or fresh.empty:
        return fresh if kept.empty else kept
    for column in _REPEATED:
        categories = pd.api.types.union_categoricals([kept[column], fresh[column]]).categories
        kept, fresh = (part.assign(**{column: part[column].cat.set_categories(categories)}) for part in (kept, fresh))
    return pd.concat([kept, fresh], ignore_index=True)
