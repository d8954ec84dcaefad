"""What a worker is handed, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ssd_cli.running.plan import PlannedCell


@dataclass(frozen=True)
class Job:
    """A cell and what a worker must know to execute it.

    Parameters
    ----------
    planned : PlannedCell
    out : Path
    data_dirs : tuple of Path
    mark : tuple, optional
        State of the cell's record when the run was planned (`record_mark`); if it has changed since, somebody else was faster.
    keep_networks : bool
    busy_workers : int
        Workers at work when the cell was handed out; latency is measured in their company.
    command : tuple of str
        The command line of the run.
    alone : bool
        The device's memory ran out before, and the cell has it for itself now.
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
    """What became of a job.

    Parameters
    ----------
    status : {"ok", "failed", "skipped", "claimed", "memory"}
        "claimed": another live process works on the cell. "memory": the device's ran out; nothing is recorded.
    reason : str
        Why it failed or was skipped.
    seconds : float
        Wall time; 0 where another process had executed the cell meanwhile.
    accuracy : float, optional
    warning : str
        What whoever started the run should know although the cell is fine.
    """

    status: str
    reason: str = ""
    seconds: float = 0.0
    accuracy: float | None = None
    warning: str = ""
