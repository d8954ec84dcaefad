"""Run the cells of a plan on this machine's worker processes, sharing the folder with other runs."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable

from ssd_cli.running.board import Board, Current, Reporter
from ssd_cli.running.discard import discard_group
from ssd_cli.running.execute import Job, Outcome, execute, failed_record, finished_by_another
from ssd_cli.running.packing import Packing, look_at_device
from ssd_cli.running.plan import Plan, PlannedCell
from ssd_cli.running.pool import START_ATTEMPTS, Event, Pool, Worker, cannot_start
from ssd_cli.running.resume import record_mark
from ssd_cli.running.schedule import Queue
from ssd_cli.running.suite import Suite
from ssd_cli.store.atomic import writing_to
from ssd_cli.store.claims import Claims
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.results import ResultStore

_LOOK_SECONDS = 1.0
"""How often to look after cells that other runs are working on."""

Task = Callable[..., Outcome]


class LocalRun:
    """One run of a plan.

    Parameters
    ----------
    plan : Plan
    suite : Suite
    pool : Pool
        Its workers are started as they are needed; those that live are used.
    reporter : Reporter
    command : sequence of str
        The command line, for the records.
    task : callable
        What a worker does with a job; replaced in tests.
    packing : Packing, optional
        Which cells may share a device; by default found out by a look at it, where the plan's is CUDA.
    """

    def __init__(
        self,
        plan: Plan,
        suite: Suite,
        pool: Pool,
        reporter: Reporter,
        command: tuple[str, ...] = (),
        task: Task = execute,
        packing: Packing | None = None,
    ) -> None:
        pending = plan.pending
        self._suite, self._pool, self._reporter, self._command, self._task = suite, pool, reporter, command, task
        self._store, self._claims = ResultStore(suite.out), Claims(suite.out / ".claims")
        self._marks = plan.marks
        self._queue = Queue(pending)
        self._n_workers = min(suite.n_workers, len(pending))
        cost = sum(cell.cost for cell in pending)
        self.board = Board(len(plan.cells), len(plan.cells) - len(pending), cost, n_workers=max(1, self._n_workers))
        if packing is None and plan.device == "cuda" and pending:
            packing = Packing(*pool.call(look_at_device, pending, suite.data_dir))
        self._packing = packing or Packing()
        self._elsewhere: list[PlannedCell] = []
        self._last_look = 0.0
        self._last_group: dict[int, str] = {}
        self._deaths: Counter[str] = Counter()
        self._failed_starts = 0
        self._groups: dict[str, list[PlannedCell]] = defaultdict(list)
        self._left: Counter[str] = Counter(cell.group for cell in pending)
        for cell in plan.cells:
            self._groups[cell.group].append(cell)

    def run(self) -> Board:
        """Run until every cell is finished by this run or by another that shares the folder, or, where that is wanted, left to it.

        Raises
        ------
        SsdBenchError
            No more can be done: the disk is full, or worker processes cannot be started. What is finished stays.
        """
        if self._suite.discard_networks:  # of groups that were finished by a run that did not live to discard them
            for group in self._groups.keys() - self._left.keys():
                self._discard(group)
        while self.board.left > (0 if self._suite.wait else len(self._elsewhere)):
            self._hand_out()
            self._reporter.update(self.board)
            for event in self._pool.wait(_LOOK_SECONDS):
                self._hear(event)
            self._look_elsewhere()
        return self.board

    def _hand_out(self) -> None:
        for number in range(self._n_workers):
            worker = self._pool.workers.get(number)
            while self._queue and (worker is None or worker.idle):
                cell = self._queue.take(self._last_group.get(number))
                if not self._is_finished_elsewhere(cell):
                    if not self._packing.fits(cell, [current.planned for current in self.board.current.values()]):
                        self._queue.put_back(cell)
                        return  # until another cell is finished
                    worker = worker or self._pool.start(number)
                    self._hand(worker, cell)

    def _hand(self, worker: Worker, cell: PlannedCell) -> None:
        self._last_group[worker.number] = cell.group
        self.board.current[worker.number] = Current(cell)
        worker.hand(cell, self._task, self._job(cell))

    def _job(self, cell: PlannedCell) -> Job:
        return Job(
            planned=cell,
            out=self._suite.out,
            data_dirs=self._suite.data_dir,
            mark=self._marks.get(cell.key),
            keep_networks=not self._suite.discard_networks,
            busy_workers=len(self.board.current),
            command=self._command,
            alone=self._packing.is_alone(cell),
        )

    def _hear(self, event: Event) -> None:
        cell: PlannedCell | None = event.task
        number = event.worker.number
        if event.kind == "progress" and number in self.board.current:
            self.board.current[number].progress = event.value
        elif event.kind == "raised":
            raise event.value
        elif event.kind == "done" and cell is not None:
            del self.board.current[number]
            self._failed_starts = 0
            if event.value.status == "claimed":  # its network is probably being trained there: another group is worth more
                self._elsewhere.append(cell)
                self._last_group.pop(number, None)
            elif event.value.status == "memory":
                self._packing.isolate(cell)
                self._queue.put_back(cell)
                self._reporter.note(f"{cell.cell}: the device's memory ran out; trying once more, alone")
            else:
                if event.value.warning:
                    self._reporter.note(f"Warning: {cell.cell}: {event.value.warning}")
                self._finish(cell, event.value)
        elif event.kind == "died":
            self._mourn(event, cell)
        self.board.elsewhere = len(self._elsewhere)

    def _mourn(self, event: Event, cell: PlannedCell | None) -> None:
        """A worker died: its cell is tried once more in a fresh process; a second death fails the cell, and only the cell."""
        number, log = event.worker.number, event.worker.log_tail
        self.board.current.pop(number, None)
        self._pool.bury(event.worker)
        if not event.worker.ready:
            self._failed_starts += 1
            if self._failed_starts == START_ATTEMPTS:
                raise cannot_start(event)
        if cell is None:
            return
        if event.worker.ready:
            self._deaths[cell.key] += 1
        if self._deaths[cell.key] < 2:
            self._reporter.note(f"{cell.cell}: {event.value}; trying once more")
            self._hand(self._pool.start(number), cell)
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
            self._store.put(failed_record(self._job(cell), reason, log or None))
        self._finish(cell, Outcome("failed", reason))

    def _finish(self, cell: PlannedCell, outcome: Outcome) -> None:
        self.board.book(cell, outcome)
        self._left[cell.group] -= 1
        if self._suite.discard_networks and not self._left[cell.group]:
            self._discard(cell.group)
        self._reporter.finished(cell, outcome, self.board)

    def _discard(self, group: str) -> None:
        discard_group(self._store, NetworkStore(self._suite.out), self._groups[group])

    def _look_elsewhere(self) -> None:
        """Book the cells of other runs that are finished, and queue those that are free again because their process is gone."""
        if not self._elsewhere or time.monotonic() - self._last_look < _LOOK_SECONDS:
            return
        self._last_look = time.monotonic()
        waiting, self._elsewhere = self._elsewhere, []
        for cell in waiting:
            if self._is_finished_elsewhere(cell):
                continue
            if self._claims.holder(cell.key) is None:
                self._queue.put_back(cell)
            else:
                self._elsewhere.append(cell)
        self.board.elsewhere = len(self._elsewhere)

    def _is_finished_elsewhere(self, cell: PlannedCell) -> bool:
        """Whether another run has written the cell since the plan was made; if so, it is booked."""
        if record_mark(self._store, cell) == self._marks.get(cell.key):
            return False
        outcome = finished_by_another(self._store, cell)
        if outcome is None:
            return False
        self._finish(cell, outcome)
        return True
