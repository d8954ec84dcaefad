"""Delete shared networks that no further cell of a run needs."""

from __future__ import annotations

from collections.abc import Iterable

from ssd_cli.errors import SsdBenchError
from ssd_cli.running.plan import PlannedCell
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore


def discard_group(store: ResultStore, networks: NetworkStore, cells: Iterable[PlannedCell]) -> int:
    """Delete the networks that all cells of a finished group shared; return the bytes that were freed.

    Networks that a record of the same dataset, resamples and seeds names as kept stay. Another run that needs a deleted network
    trains it again, with the same result.
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
            return 0  # it may name any network as kept
        keys |= {entry["key"] for entry in record.curves if entry.get("key")}
        keep |= {entry["sha256"] for entry in record.networks if entry.get("kept")}
    return networks.discard(keys, keep)
