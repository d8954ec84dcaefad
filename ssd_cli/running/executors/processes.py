"""Processes of this machine as workers: start them, send them tasks, receive their answers, notice when one dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from ssd_cli.running.executors import worker
from ssd_cli.running.executors.base import Event, Executor, Task, WorkerSettings, executors
from ssd_cli.running.threads import thread_variables

_STOP_SECONDS = 10.0
"""How long a worker may take to release its claims before it is killed."""
_LOG_BYTES = 4000


class WorkerProcess:
    """One worker process; `task` is what it computes, or None."""

    def __init__(self, number: int, settings: WorkerSettings) -> None:
        self.task: Task | None = None
        self.last_group = ""
        self._ready = False
        self._log_tail = b""
        context = multiprocessing.get_context("spawn")
        self._tasks, tasks = context.Pipe()
        self._log, log = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=worker.main, args=(tasks, log, settings), name=f"ssd-bench worker {number}", daemon=True
        )
        with _inherited(thread_variables(settings.threads)):
            self.process.start()
        # The parent's copies would keep the pipes open after the worker's death.
        tasks.close()
        log.close()

    def send(self, task: Task) -> None:
        """Send it a task."""
        self.task, self.last_group = task, task.group
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `poll` notices its death
            self._tasks.send((task.function, task.arguments))

    def waitables(self) -> list[Any]:
        """Return what becomes ready when `poll` has something to return."""
        return [self._tasks, self.process.sentinel, *([] if self._log.closed else [self._log])]

    def poll(self) -> Iterator[Event]:
        """Yield what it sent since the last time; its death comes last."""
        self._read_log()
        try:
            while self._tasks.poll():
                kind, value = self._tasks.recv()
                if kind == "ready":
                    self._ready = True
                    continue
                task = self.task
                if kind in ("done", "raised"):
                    self.task = None
                yield Event(kind, value, task)
        except (EOFError, OSError, pickle.UnpicklingError):  # it died in the middle of a message, or is about to die
            self.process.join(_STOP_SECONDS)
            self.process.kill()
            self.process.join()
        if not self.process.is_alive():
            self.process.join()
            self._read_log()
            yield Event("died", self._cause_of_death(), self.task, self._log_tail.decode(errors="replace"), self._ready)

    def request_stop(self) -> None:
        """Ask it to end: with a message where it is idle, else with a signal, after which it releases its claims."""
        with contextlib.suppress(OSError):
            self._tasks.send(None)
        if self.task is not None or not self._ready:
            self.process.terminate()

    def close(self) -> None:
        """Kill the process if it is alive and close the pipes."""
        self.process.kill()
        self.process.join()
        self._tasks.close()
        self._log.close()

    def _read_log(self) -> None:
        while not self._log.closed and self._log.poll():
            content = os.read(self._log.fileno(), 65536)
            if not content:
                self._log.close()
            self._log_tail = (self._log_tail + content)[-_LOG_BYTES:]

    def _cause_of_death(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
            memory = ", perhaps because memory ran out" if name == "SIGKILL" else ""
            return f"the worker process was ended by {name}{memory}"
        return f"the worker process ended with exit code {code}"


@executors.register("processes")
class ProcessExecutor(Executor):
    """Processes of this machine, started when they are needed and kept for many tasks."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings)
        self.workers: list[WorkerProcess] = []  # those that are not known to be dead

    def submit(self, task: Task) -> None:
        """Send a task to an idle worker, best to one that computed this group before; without an idle worker start one."""
        idle = [one for one in self.workers if one.task is None]
        idle.sort(key=lambda one: (one.last_group != task.group, one.last_group != ""))
        if not idle:
            idle = [WorkerProcess(len(self.workers), self.settings)]
            self.workers += idle
        idle[0].send(task)

    def events(self, seconds: float) -> list[Event]:
        """See `Executor.events`."""
        connection.wait([waitable for one in self.workers for waitable in one.waitables()], seconds)
        found = []
        for one in list(self.workers):
            for event in one.poll():
                if event.kind == "died":
                    one.close()
                    self.workers.remove(one)
                found.append(event)
        return found

    def cancel(self) -> None:
        """Ask all workers to end, and wait for it for up to ten seconds."""
        for one in self.workers:
            one.request_stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while self.workers and time.monotonic() < deadline:
            self.events(0.1)  # a worker must not wait for a reader of its messages

    def close(self) -> None:
        """Kill all workers."""
        for one in self.workers:
            one.close()
        self.workers.clear()


@contextmanager
def _inherited(variables: dict[str, str]) -> Iterator[None]:
    """Start processes with these environment variables, and with Ctrl-C blocked until they can ignore it."""
    before = {name: os.environ.get(name) for name in variables}
    can_block = hasattr(signal, "pthread_sigmask")
    os.environ.update(variables)
    if can_block:
        resource_tracker.ensure_running()  # it unblocks signals when it starts
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
