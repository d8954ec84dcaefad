"""Delete shared networks that no cell of a run will ask for again."""

from __future__ import annotations

from collections.abc import Iterable

from ssd_cli.errors import SsdBenchError
from ssd_cli.running.plan import PlannedCell
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore


def discard_group(store: ResultStore, networks: NetworkStore, cells: Iterable[PlannedCell]) -> int:
    """Delete the networks that the finished cells of one group shared; return the bytes that were freed.

    What any record of the same dataset, resamples and seeds names as kept stays, also where an earlier run wrote it. Another run
    that still needs a deleted network trains it again: that costs time and changes nothing.

    Parameters
    ----------
    store : ResultStore
    networks : NetworkStore
    cells : iterable of PlannedCell
        All cells of the group.
    """
    patterns = set()
    for cell in (planned.cell for planned in cells):
        backbone = cell.folder.rpartition("@")[2]
        patterns.add(f"seed{cell.seed}/*@{backbone}/Predictions/{cell.dataset}/testResample{cell.resample}.json")
    keys, keep = set(), set()
    for path in (path for pattern in patterns for path in store.root.glob(pattern)):
        try:
            record = CellRecord.from_json(path.read_bytes(), str(path))
        except (OSError, SsdBenchError):
            return 0  # what it names is not known, so nothing is deleted
        keys |= {entry["key"] for entry in record.curves if entry.get("key")}
        keep |= {entry["sha256"] for entry in record.networks if entry.get("kept")}
    return networks.discard(keys, keep)
