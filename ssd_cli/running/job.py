"""The input of a worker for a cell, and its output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ssd_cli.core.options import FITTED
from ssd_cli.running.plan import PlannedCell


@dataclass(frozen=True)
class Job:
    """A cell, with the settings that a worker needs to compute it."""

    planned: PlannedCell
    out: Path
    data_dirs: tuple[Path, ...] = ()
    mark: tuple[int, int] | None = None  # `record_mark` at planning time; the mark changes if another run writes the record
    keep_networks: bool = True
    busy_workers: int = 1  # workers that compute cells at the submission of this one; they increase the measured latency
    command: tuple[str, ...] = ()  # command line of the run, for the record
    fitted: float = FITTED  # training accuracy from which a network has fitted
    alone: bool = False  # whether the cell ran out of device memory before and now uses the device alone


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    The status is "ok", "failed", "skipped", "claimed" (another process computes the cell) or "memory" (the device's memory
    ran out, and nothing is recorded).
    """

    status: str
    reason: str = ""
    seconds: float = 0.0  # wall time; 0 if another process has computed the cell
    accuracy: float | None = None
    warning: str = ""  # a message for the user although the cell succeeded
