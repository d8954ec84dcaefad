"""The parent's side of the worker processes: start them, hand out tasks, hear what they say, notice when one dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from ssd_cli.errors import SsdBenchError
from ssd_cli.running import worker

_STOP_SECONDS = 10.0
"""How long a worker may take to give back its claims before it is killed."""
_LOG_BYTES = 4000

START_ATTEMPTS = 3
"""Workers that die in a row before they could do anything, after which a run gives up."""


@dataclass(frozen=True)
class Event:
    """Something a worker said or suffered.

    Parameters
    ----------
    worker : Worker
    kind : {"progress", "done", "raised", "died"}
    value : object
        Progress, result, SsdBenchError, or in words how it died.
    task : object
        What it was working on, as given to `Worker.hand`.
    """

    worker: Worker
    kind: Literal["progress", "done", "raised", "died"]
    value: Any
    task: Any


class Worker:
    """One worker process.

    Attributes
    ----------
    number : int
        0, 1, …; the process that replaces a dead one has its number.
    label : object
        What it works on, as given to `hand`; None when idle.
    """

    def __init__(self, number: int, settings: worker.Settings) -> None:
        self.number = number
        self.label: Any = None
        self.ready = False
        self._log_tail = b""
        context = multiprocessing.get_context("spawn")
        self._tasks, tasks = context.Pipe()
        self._log, log = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=worker.main, args=(tasks, log, settings), name=f"ssd-bench worker {number}", daemon=True
        )
        with _environment(worker.thread_variables(settings.threads)), _interrupts_blocked():
            self.process.start()
        # The parent's copies would keep the pipes open after the worker's death.
        tasks.close()
        log.close()

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return self.label is None

    @property
    def log_tail(self) -> str:
        """The end of what the process wrote on its standard output and error."""
        return self._log_tail.decode(errors="replace")

    def hand(self, label: Any, function: Callable[..., Any], *arguments: Any) -> None:
        """Give it a task: `function`, importable by name, is called with the arguments and a callable for its progress."""
        self.label = label
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its death is noticed by `hear`
            self._tasks.send((function, arguments))

    def waitables(self) -> list[Any]:
        """What becomes ready when there is something to `hear`."""
        return [self._tasks, self.process.sentinel, *([] if self._log.closed else [self._log])]

    def hear(self) -> Iterator[Event]:
        """All that it said since the last time."""
        self._read_log()
        try:
            while self._tasks.poll():
                kind, value = self._tasks.recv()
                if kind == "ready":
                    self.ready = True
                    continue
                task = self.label
                if kind in ("done", "raised"):
                    self.label = None
                yield Event(self, kind, value, task)
        except (EOFError, OSError, pickle.UnpicklingError):  # cut off in the middle of a word: dead, or about to be
            self.process.join(_STOP_SECONDS)
            self.process.kill()
            self.process.join()
        if not self.process.is_alive():
            self.process.join()
            self._read_log()
            yield Event(self, "died", self._obituary(), self.label)

    def tell_stop(self) -> None:
        """Ask it to stop: at once where it is idle, else by a signal that lets it give back what it claimed."""
        with contextlib.suppress(OSError):
            self._tasks.send(None)
        if not self.idle or not self.ready:
            self.process.terminate()

    def close(self) -> None:
        """Kill it if it lives, and give back what it takes in this process."""
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

    def _obituary(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
            memory = ", perhaps because memory ran out" if name == "SIGKILL" else ""
            return f"the worker process was ended by {name}{memory}"
        return f"the worker process ended with exit code {code}"


class Pool:
    """Worker processes, started as they are needed and kept for many tasks.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: worker.Settings) -> None:
        self._settings = settings
        self.workers: dict[int, Worker] = {}

    def start(self, number: int) -> Worker:
        """Start the worker with this number, in place of a dead one if there was one."""
        if number in self.workers:
            self.workers[number].close()
        self.workers[number] = Worker(number, self._settings)
        return self.workers[number]

    def bury(self, dead: Worker) -> None:
        """Forget a worker that died."""
        dead.close()
        del self.workers[dead.number]

    def wait(self, seconds: float) -> list[Event]:
        """What the workers say within `seconds`; returns at the first word."""
        connection.wait([waitable for one in self.workers.values() for waitable in one.waitables()], seconds)
        return [event for one in list(self.workers.values()) for event in one.hear()]

    def call(self, function: Callable[..., Any], *arguments: Any, tell: Callable[[Any], None] | None = None) -> Any:
        """Do one task on worker 0 and return its result; what it raises is raised here, its progress is told to `tell`."""
        deaths = 0
        while True:
            first = self.workers.get(0) or self.start(0)
            if first.idle:
                first.hand(function.__name__, function, *arguments)
            for event in self.wait(1.0):
                if event.kind == "progress" and tell is not None:
                    tell(event.value)
                if event.kind == "done":
                    return event.value
                if event.kind == "raised":
                    raise event.value
                if event.kind == "died":
                    deaths += 1
                    if deaths == START_ATTEMPTS:
                        raise cannot_start(event)
                    self.bury(event.worker)

    def call_each(
        self, n_workers: int, function: Callable[..., Any], *arguments: Any, tell: Callable[[Any], None] | None = None
    ) -> list[Any]:
        """Do the same task on several workers at once; return the results of those that live to the end.

        What one raises is raised here; only worker 0's progress is told.
        """
        busy = set(range(n_workers))
        for number in busy:
            (self.workers.get(number) or self.start(number)).hand(function.__name__, function, *arguments)
        results = []
        while busy:
            for event in self.wait(1.0):
                number = event.worker.number
                if event.kind == "progress":
                    if tell is not None and number == 0:
                        tell(event.value)
                    continue
                busy.discard(number)
                if event.kind == "raised":
                    raise event.value
                if event.kind == "done":
                    results.append(event.value)
                else:
                    self.bury(event.worker)
        return results

    def stop(self) -> None:
        """End all workers: told first, so that they give back what they claimed, and killed after ten seconds."""
        for one in self.workers.values():
            one.tell_stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while any(one.process.is_alive() for one in self.workers.values()) and time.monotonic() < deadline:
            self.wait(0.1)  # read on, so that none of them waits for a reader
        self.kill()

    def kill(self) -> None:
        """End all workers at once."""
        for one in self.workers.values():
            one.close()
        self.workers.clear()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def cannot_start(event: Event) -> SsdBenchError:
    """The error of a worker that died before any cell could be blamed for it."""
    return SsdBenchError(
        f"A worker process cannot work: {event.value}.",
        event.worker.log_tail.strip(),
        "Try fewer --workers, and look at the free memory.",
    )


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a process that is started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start a process that never hears Ctrl-C, not even before it could say so: a blocked signal stays blocked in a child."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # where it starts, it unblocks signals
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
