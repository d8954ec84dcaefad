"""Worker processes on this machine: start them, send tasks, receive answers, and detect when a process dies."""

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

from ssd_cli.running.executors.base import Event, Executor, Task, WorkerSettings, executors
from ssd_cli.running.executors.worker import main
from ssd_cli.running.threads import thread_variables

_STOP_SECONDS = 10.0
"""How long a worker may take to release its claims before it is killed."""
_LOG_BYTES = 4000


class WorkerProcess:
    """One worker process; `task` is the task that it computes, or None."""

    def __init__(self, number: int, settings: WorkerSettings) -> None:
        self.task: Task | None = None
        self.last_group = ""
        self._ready = False
        self._log_tail = b""
        context = multiprocessing.get_context("spawn")
        self._task_pipe, tasks = context.Pipe()
        self._log_pipe, log = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=main, args=(tasks, log, settings), name=f"ssd-bench worker {number}", daemon=True
        )
        with _environment_of_children(thread_variables(settings.threads)):
            self.process.start()
        # Copies in the parent process would keep the pipes open after the worker's death.
        tasks.close()
        log.close()

    def send(self, task: Task) -> None:
        """Start a task in this idle process."""
        self.task, self.last_group = task, task.group
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `events` reports that the process died
            self._task_pipe.send((task.function, task.arguments))

    def handles(self) -> list[Any]:
        """Return the handles for `connection.wait`; one of them is ready when `events` has an event."""
        return [self._task_pipe, self.process.sentinel, *([] if self._log_pipe.closed else [self._log_pipe])]

    def events(self) -> Iterator[Event]:
        """Yield the events since the last call; the death of the process comes last."""
        self._read_log()
        try:
            while self._task_pipe.poll():
                kind, value = self._task_pipe.recv()
                if kind == "ready":
                    self._ready = True
                    continue
                task = self.task
                if kind in ("done", "raised"):
                    self.task = None
                yield Event(kind, value, task)
        except (EOFError, OSError, pickle.UnpicklingError):  # the process died while it sent a message, or is about to die
            self.process.join(_STOP_SECONDS)
            self.process.kill()
            self.process.join()
        if not self.process.is_alive():
            self.process.join()
            self._read_log()
            yield Event("died", self._exit_reason(), self.task, self._log_tail.decode(errors="replace"), self._ready)

    def request_stop(self) -> None:
        """Ask the process to end: an idle one by a message, a busy one by a signal, after which it releases its claims."""
        with contextlib.suppress(OSError):
            self._task_pipe.send(None)
        if self.task is not None or not self._ready:
            self.process.terminate()

    def close(self) -> None:
        """Kill the process if it is alive and close the pipes."""
        self.process.kill()
        self.process.join()
        self._task_pipe.close()
        self._log_pipe.close()

    def _read_log(self) -> None:
        while not self._log_pipe.closed and self._log_pipe.poll():
            content = os.read(self._log_pipe.fileno(), 65536)
            if not content:
                self._log_pipe.close()
            self._log_tail = (self._log_tail + content)[-_LOG_BYTES:]

    def _exit_reason(self) -> str:
        """Return a clause that says how the process ended."""
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
            memory = ", perhaps because memory ran out" if name == "SIGKILL" else ""
            return f"the worker process was ended by {name}{memory}"
        return f"the worker process ended with exit code {code}"


@executors.register("processes")
class ProcessExecutor(Executor):
    """Processes on this machine, which are started when needed and kept for further tasks."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings)
        self.workers: list[WorkerProcess] = []  # without those whose death has been reported

    def submit(self, task: Task) -> None:
        """Send a task to an idle worker, or to a new one; prefer a worker whose last task was of the same group."""
        idle = [worker for worker in self.workers if worker.task is None]
        idle.sort(key=lambda worker: (worker.last_group != task.group, worker.last_group != ""))
        if not idle:
            idle = [WorkerProcess(len(self.workers), self.settings)]
            self.workers += idle
        idle[0].send(task)

    def events(self, seconds: float) -> list[Event]:
        """See `Executor.events`."""
        connection.wait([handle for worker in self.workers for handle in worker.handles()], seconds)
        found = []
        for worker in list(self.workers):
            for event in worker.events():
                if event.kind == "died":
                    worker.close()
                    self.workers.remove(worker)
                found.append(event)
        return found

    def cancel(self) -> None:
        """Ask all workers to end, and wait for up to ten seconds until they have ended."""
        for worker in self.workers:
            worker.request_stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while self.workers and time.monotonic() < deadline:
            self.events(0.1)  # a worker blocks while its messages are not read

    def close(self) -> None:
        """Kill all workers."""
        for worker in self.workers:
            worker.close()
        self.workers.clear()


@contextmanager
def _environment_of_children(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables and block Ctrl-C, both inherited by started processes, which later ignore Ctrl-C."""
    before = {name: os.environ.get(name) for name in variables}
    can_block = hasattr(signal, "pthread_sigmask")
    os.environ.update(variables)
    if can_block:
        resource_tracker.ensure_running()  # its start unblocks signals
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
