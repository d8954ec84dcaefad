"""Compute the cells of a plan with an executor, sharing the output folder with other runs."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable

from ssd_cli.core.atomic import writing_to
from ssd_cli.core.claims import Claims
from ssd_cli.running.execute import CellResults, cell_record, execute, finished_by_another
from ssd_cli.running.executors.base import START_ATTEMPTS, Event, Executor, Task, call, cannot_start
from ssd_cli.running.job import Job, Outcome
from ssd_cli.running.networks import discard_group
from ssd_cli.running.packing import Packing, look_at_device
from ssd_cli.running.plan import Plan, PlannedCell
from ssd_cli.running.progress import Reporter, RunningCell, RunProgress
from ssd_cli.running.resume import record_mark
from ssd_cli.running.schedule import Queue
from ssd_cli.running.suite import Suite
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.results import ResultStore

_LOOK_SECONDS = 1.0
"""Interval, in seconds, of the check for cells that other runs have finished or abandoned."""


class SuiteRun:
    """One run of a plan.

    `command` is the command line, for the records; `execute` is the task of a worker for a job. `packing` decides which cells
    share a device; by default it is derived from the free memory of a CUDA device.
    """

    def __init__(
        self,
        plan: Plan,
        suite: Suite,
        executor: Executor,
        reporter: Reporter,
        *,
        command: tuple[str, ...] = (),
        execute: Callable[..., Outcome] = execute,
        packing: Packing | None = None,
    ) -> None:
        pending = plan.pending
        self._suite, self._executor, self._reporter, self._command, self._execute = suite, executor, reporter, command, execute
        self._store, self._claims = ResultStore(suite.out), Claims(suite.out / ".claims")
        self._marks = plan.marks
        self._queue = Queue(pending)
        self._n_workers = min(executor.capacity, len(pending))
        cost, n_workers = sum(cell.cost for cell in pending), max(1, self._n_workers)
        self.progress = RunProgress(len(plan.cells), len(plan.cells) - len(pending), cost, n_workers)
        if packing is None and plan.device == "cuda" and pending:
            packing = Packing(*call(executor, look_at_device, pending))
        self._packing = packing or Packing()
        self._elsewhere: list[PlannedCell] = []
        self._last_look = 0.0
        self._last_group: dict[int, str] = {}
        self._cells = {cell.key: cell for cell in plan.cells}
        self._deaths: Counter[str] = Counter()
        self._failed_starts = 0
        self._groups: dict[str, list[PlannedCell]] = defaultdict(list)
        self._left: Counter[str] = Counter(cell.group for cell in pending)
        for cell in plan.cells:
            self._groups[cell.group].append(cell)

    def run(self) -> RunProgress:
        """Run until every cell is finished by this run or another; with ``--no-wait`` leave claimed cells to the other run.

        Raise SsdBenchError if the disk is full or worker processes cannot be started. Finished cells stay.
        """
        if self._suite.discard_networks:  # a killed run may have left networks of finished groups
            for group in self._groups.keys() - self._left.keys():
                self._discard(group)
        while self.progress.left > (0 if self._suite.wait else len(self._elsewhere)):
            self._submit_cells()
            self._reporter.update(self.progress)
            for event in self._executor.events(_LOOK_SECONDS):
                self._on_event(event)
            self._look_elsewhere()
        return self.progress

    def _submit_cells(self) -> None:
        """Submit cells while workers are idle and the device has room."""
        running = self.progress.current
        for worker in range(self._n_workers):
            while self._queue and worker not in running:
                cell = self._queue.take(self._last_group.get(worker))
                if self._is_finished_elsewhere(cell):
                    continue
                if not self._packing.fits(cell, [one.planned for one in running.values()]):
                    self._queue.put_back(cell)
                    return  # wait until another cell is finished
                self._submit(worker, cell)

    def _submit(self, worker: int, cell: PlannedCell) -> None:
        self._last_group[worker] = cell.group
        self.progress.current[worker] = RunningCell(cell)
        self._executor.submit(Task(cell.key, self._execute, (self._job(cell),), cell.group))

    def _job(self, cell: PlannedCell) -> Job:
        return Job(
            planned=cell,
            out=self._suite.out,
            data_dirs=self._suite.data_dir,
            mark=self._marks.get(cell.key),
            keep_networks=not self._suite.discard_networks,
            busy_workers=len(self.progress.current),
            command=self._command,
            fitted=self._suite.fitted,
            alone=cell.key in self._packing.alone,
        )

    def _on_event(self, event: Event) -> None:
        if event.kind == "raised":
            raise event.value
        if event.kind == "died" and not event.started:
            self._failed_starts += 1
            if self._failed_starts == START_ATTEMPTS:
                raise cannot_start(event)
        cell = self._cells[event.task.key] if event.task else None
        worker = next((number for number, one in self.progress.current.items() if one.planned is cell), None)
        if cell is None or worker is None:
            return
        if event.kind == "progress":
            self.progress.current[worker].progress = event.value
            return
        del self.progress.current[worker]
        if event.kind == "died":
            self._on_death(event, worker, cell)
        else:
            self._failed_starts = 0
            self._on_outcome(event.value, worker, cell)
        self.progress.elsewhere = len(self._elsewhere)

    def _on_outcome(self, outcome: Outcome, worker: int, cell: PlannedCell) -> None:
        if outcome.status == "claimed":  # another run is probably training the network of this group: start with another group
            self._elsewhere.append(cell)
            self._last_group.pop(worker, None)
        elif outcome.status == "memory":
            self._packing.alone.add(cell.key)
            self._queue.put_back(cell)
            self._reporter.note(f"{cell.cell}: the device's memory ran out; trying once more without other cells")
        else:
            if outcome.warning:
                self._reporter.note(f"Warning: {cell.cell}: {outcome.warning}")
            self._finish(cell, outcome)

    def _on_death(self, event: Event, worker: int, cell: PlannedCell) -> None:
        """Try the cell once more in another worker; after a second death record it as failed."""
        if event.started:
            self._deaths[cell.key] += 1
        if self._deaths[cell.key] < 2:
            self._reporter.note(f"{cell.cell}: {event.value}; trying once more")
            self._submit(worker, cell)
            return
        with writing_to(self._suite.out):
            claim = self._claims.take(cell.key, str(cell.cell))
        if claim is None:
            self._elsewhere.append(cell)
            return
        reason = f"Twice {event.value}."
        with claim:
            if self._is_finished_elsewhere(cell):
                return
            self._store.put(cell_record(self._job(cell), "failed", reason, event.log or None, CellResults()))
        self._finish(cell, Outcome("failed", reason))

    def _finish(self, cell: PlannedCell, outcome: Outcome) -> None:
        self.progress.count(cell, outcome)
        self._left[cell.group] -= 1
        if self._suite.discard_networks and not self._left[cell.group]:
            self._discard(cell.group)
        self._reporter.finished(cell, outcome, self.progress)

    def _discard(self, group: str) -> None:
        discard_group(self._store, NetworkStore(self._suite.out), self._groups[group])

    def _look_elsewhere(self) -> None:
        """Count the cells that other runs have finished, and queue cells that an ended process has left unfinished."""
        if not self._elsewhere or time.monotonic() - self._last_look < _LOOK_SECONDS:
            return
        self._last_look = time.monotonic()
        waiting, self._elsewhere = self._elsewhere, []
        for cell in (cell for cell in waiting if not self._is_finished_elsewhere(cell)):
            if self._claims.holder(cell.key) is None:
                self._queue.put_back(cell)
            else:
                self._elsewhere.append(cell)
        self.progress.elsewhere = len(self._elsewhere)

    def _is_finished_elsewhere(self, cell: PlannedCell) -> bool:
        """Return whether another run has written the cell since the plan was made; if so, count it."""
        if record_mark(self._store, cell) == self._marks.get(cell.key):
            return False
        if (outcome := finished_by_another(self._store, cell)) is not None:
            self._finish(cell, outcome)
        return outcome is not None
