"""What a worker receives for a cell, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ssd_cli.running.plan import PlannedCell


@dataclass(frozen=True)
class Job:
    """A cell and what a worker needs to know to compute it.

    Parameters
    ----------
    planned : PlannedCell
    out : Path
    data_dirs : tuple of Path
    mark : tuple, optional
        State of the cell's record when the run was planned (`record_mark`); where it has changed, another run computed the cell.
    keep_networks : bool
    busy_workers : int
        Workers that computed cells when this one was submitted; they slow down the measured latency.
    command : tuple of str
        The command line of the run.
    alone : bool
        The device's memory ran out before, and no other cell uses it now.
    """

    planned: PlannedCell
    out: Path
    data_dirs: tuple[Path, ...] = ()
    mark: tuple[int, int] | None = None
    keep_networks: bool = True
    busy_workers: int = 1
    command: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    status : {"ok", "failed", "skipped", "claimed", "memory"}
        "claimed": another process is computing the cell. "memory": the device's memory ran out; nothing is recorded.
    reason : str
        Why it failed or was skipped.
    seconds : float
        Wall time; 0 where another process has computed the cell meanwhile.
    accuracy : float, optional
    warning : str
        A message for the user although the cell succeeded.
    """

    status: str
    reason: str = ""
    seconds: float = 0.0
    accuracy: float | None = None
    warning: str = ""
