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
    """

    planned: PlannedCell
    progress: Any = "starting"


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
    """

    total: int
    done_before: int
    cost_left: float
    cost_spent: float = 0.0
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
        """Estimated from what has been finished; None before the first cell of this run."""
        return self.seconds * self.cost_left / self.cost_spent if self.cost_spent else None

    def book(self, planned: PlannedCell, outcome: Outcome) -> None:
        """Count a finished cell."""
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.cost_left -= planned.cost
        if outcome.seconds:
            self.cost_spent += planned.cost
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
