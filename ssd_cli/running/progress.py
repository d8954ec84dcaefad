"""Progress of a run: finished cells, the current cell of every worker, and the remaining time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from ssd_cli.running.job import Outcome
from ssd_cli.running.plan import PlannedCell


@dataclass
class RunningCell:
    """A cell in progress: the last report of its worker, and its start on the clock of `time.monotonic`."""

    planned: PlannedCell
    progress: Any = "starting"
    since: float = field(default_factory=time.monotonic)


@dataclass
class RunProgress:
    """State of a run. Costs are estimated seconds."""

    total: int  # number of cells of the plan
    done_before: int  # number of cells that were done when the run started
    cost_left: float  # cost of the unfinished cells
    n_workers: int = 1
    cost_spent: float = 0.0  # cost of the cells that this run has computed
    seconds_spent: float = 0.0  # seconds that the workers took for these cells
    cost_of_others: float = 0.0  # cost of the cells that other runs have computed since the start
    expected_pace: float | None = None  # seconds per unit of cost before the first cell is finished; None if a rate is unknown
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    elsewhere: int = 0  # number of cells that other runs are computing
    current: dict[int, RunningCell] = field(default_factory=dict)  # the cell of each worker
    failures: list[tuple[PlannedCell, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> int:
        """Return the number of cells finished since the start, by this run or another."""
        return self.ok + self.failed + self.skipped

    @property
    def left(self) -> int:
        """Return the number of cells that are not finished."""
        return self.total - self.done_before - self.finished

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """Estimate the seconds left from the pace of the finished cells, or from `expected_pace` before the first one.

        Other runs are assumed to compute as fast as before. A cell that exceeds its estimate is assumed to need another tenth of
        its time. None if the pace is unknown, or if only other runs have cells to compute.
        """
        pace = self.seconds_spent / self.cost_spent if self.cost_spent else self.expected_pace
        if pace is None or (not self.current and 0 < self.left <= self.elsewhere):
            return None
        now = time.monotonic()
        running = [max(one.planned.cost * pace - (now - one.since), (now - one.since) / 10) for one in self.current.values()]
        waiting = max(0.0, self.cost_left - sum(one.planned.cost for one in self.current.values())) * pace
        helpers = 1 + (self.cost_of_others / self.cost_spent if self.cost_spent else 0)
        return max([*running, (sum(running) + waiting) / (self.n_workers * helpers)])

    def count(self, planned: PlannedCell, outcome: Outcome) -> None:
        """Add a finished cell."""
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.cost_left -= planned.cost
        if outcome.status == "ok" and outcome.seconds:
            self.cost_spent += planned.cost
            self.seconds_spent += outcome.seconds
        elif outcome.status == "ok":
            self.cost_of_others += planned.cost
        if outcome.status == "failed":
            self.failures.append((planned, outcome.reason))


class Reporter(Protocol):
    """Show the progress of a run to the user."""

    def update(self, progress: RunProgress) -> None:
        """Show the progress; called about once a second, and after every event."""

    def finished(self, planned: PlannedCell, outcome: Outcome, progress: RunProgress) -> None:
        """Show a cell that this run or another has finished."""

    def note(self, text: str) -> None:
        """Show a message for the user."""


class SilentReporter:
    """Show nothing."""

    def update(self, *arguments: Any, **options: Any) -> None:
        """See `Reporter`."""

    finished = note = update
