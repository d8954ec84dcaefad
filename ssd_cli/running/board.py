"""What a run tells whoever watches it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from ssd_cli.running.execute import Outcome
from ssd_cli.running.plan import PlannedCell


@dataclass
class Current:
    """What a worker is doing.

    Parameters
    ----------
    planned : PlannedCell
    progress : object
        The last thing it said: a text, or the progress of a training (label, epoch, epochs, loss).
    since : float
        On the clock of `time.monotonic`.
    """

    planned: PlannedCell
    progress: Any = "starting"
    since: float = field(default_factory=time.monotonic)


@dataclass
class Board:
    """Where a run stands.

    Parameters
    ----------
    total : int
        Cells of the plan.
    done_before : int
        Of these, done when the run started.
    cost_left : float
        Estimated cost of the cells that are not finished.
    n_workers : int
        That work on them in this run.
    cost_spent, seconds_spent : float
        Estimated cost of the cells that this run has computed, and how long its workers took for them.
    cost_of_others : float
        Estimated cost of the cells that other runs have computed meanwhile.
    expected_pace : float, optional
        Seconds of a worker for a unit of estimated cost, as expected before the first cell is finished: 1 where all rates were
        measured on this machine; None where nobody knows.
    """

    total: int
    done_before: int
    cost_left: float
    n_workers: int = 1
    cost_spent: float = 0.0
    seconds_spent: float = 0.0
    cost_of_others: float = 0.0
    expected_pace: float | None = None
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    elsewhere: int = 0
    """Cells that other runs are working on."""
    current: dict[int, Current] = field(default_factory=dict)
    failures: list[tuple[PlannedCell, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> int:
        """Cells finished since the start, by this run or another."""
        return self.ok + self.failed + self.skipped

    @property
    def left(self) -> int:
        """Cells that are not finished."""
        return self.total - self.done_before - self.finished

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """Estimated from how long finished cells took; None before the first one, and while there are only cells of other runs.

        Before the first one is finished the machine's rates say it, where they are known (`expected_pace`). Other runs go on
        helping as they did. A cell that takes longer than estimated is taken to need a tenth more of its time.
        """
        pace = self.seconds_spent / self.cost_spent if self.cost_spent else self.expected_pace
        if pace is None or (not self.current and 0 < self.left <= self.elsewhere):
            return None
        now = time.monotonic()
        still = [max(one.planned.cost * pace - (now - one.since), (now - one.since) / 10) for one in self.current.values()]
        waiting = max(0.0, self.cost_left - sum(one.planned.cost for one in self.current.values())) * pace
        helpers = 1 + (self.cost_of_others / self.cost_spent if self.cost_spent else 0)
        return max([*still, (sum(still) + waiting) / (self.n_workers * helpers)])

    def book(self, planned: PlannedCell, outcome: Outcome) -> None:
        """Count a finished cell."""
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
    """Shows a run to people."""

    def update(self, board: Board) -> None:
        """Called about once a second, and whenever something happened."""

    def finished(self, planned: PlannedCell, outcome: Outcome, board: Board) -> None:
        """A cell is finished, by this run or another."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Silent:
    """Shows nothing."""

    def update(self, board: Board) -> None:
        """See `Reporter`."""

    def finished(self, planned: PlannedCell, outcome: Outcome, board: Board) -> None:
        """See `Reporter`."""

    def note(self, text: str) -> None:
        """See `Reporter`."""
