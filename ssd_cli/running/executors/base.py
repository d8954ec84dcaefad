"""The interface of executors. What shares cells, fits them on devices, retries them and counts them uses nothing else."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from ssd_cli.errors import SsdBenchError
from ssd_cli.registry import Registry

ReportProgress = Callable[[Any], None]
"""Sends the progress of a task, a text or the progress of a training, to the code that submitted it."""

START_ATTEMPTS = 3
"""Workers that die in a row before they can do anything, after which a run gives up."""


def throttled(report: ReportProgress, seconds: float, wait: float = 0.0) -> ReportProgress:
    """Pass on at most one report in this many seconds, and none in the first `wait` seconds."""
    earliest = time.monotonic() + wait

    def passing(progress: Any) -> None:
        nonlocal earliest
        if time.monotonic() >= earliest:
            earliest = time.monotonic() + seconds
            report(progress)

    return passing


class WorkerError(SsdBenchError):
    """Report an unexpected error of a task; `trace` is the worker's traceback."""

    def __init__(self, what: str, expected: str = "", remedy: str = "", trace: str = "") -> None:
        super().__init__(what, expected, remedy)
        self.args = (what, expected, remedy, trace)
        self.trace = trace


@dataclass(frozen=True)
class WorkerSettings:
    """What all workers of a run have in common."""

    threads: int = 1  # of the numerical libraries in each worker, set before any of them is loaded
    plugins: tuple[Path, ...] = ()  # files whose methods and backbones every worker registers
    n_workers: int = 1  # that may compute at once


@dataclass(frozen=True)
class Task:
    """What an executor computes: ``function(*arguments, report)`` in one of its workers.

    The function can be imported by name, and the arguments can be pickled. The argument of a cell is its `Job`, which names all
    that it needs. An executor whose workers do not see these files sends dataset, networks and plug-ins along, lets the worker
    write into another folder, and copies what was written there (record, predictions, networks) into `Job.out`.
    """

    key: str  # unique in a run
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    group: str = ""  # tasks of one group share data and networks: a worker computes them faster one after the other


@dataclass(frozen=True)
class Event:
    """What happened to a task or to a worker."""

    kind: Literal["progress", "done", "raised", "died"]
    value: Any  # what the task reported, its result, its SsdBenchError, or a text that says how the worker died
    task: Task | None = None  # None where an idle worker died
    log: str = ""  # the end of what a dead worker wrote on standard output and error
    started: bool = True  # False for a worker that died before it could do anything: no task is to blame


class Executor(ABC):
    """Workers that compute tasks."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings

    @property
    def capacity(self) -> int:
        """Return how many tasks it computes at once."""
        return self.settings.n_workers

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Start a task; called for at most `capacity` tasks that are not finished. Does not wait."""

    @abstractmethod
    def events(self, seconds: float) -> list[Event]:
        """Return what happened since the last call; wait up to `seconds` for the first event.

        Every task ends in exactly one event that is not "progress".
        """

    @abstractmethod
    def cancel(self) -> None:
        """Stop all tasks so that they release their claims; wait a few seconds for it."""

    @abstractmethod
    def close(self) -> None:
        """End all workers at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()
        self.close()


executors: Registry[Executor] = Registry("executor", "ssd_cli.running.executors", pluggable=False)


def open_executor(name: str, settings: WorkerSettings) -> Executor:
    """Create the executor with this registered name."""
    return executors.get(name)(settings)


def call(executor: Executor, function: Callable[..., Any], *arguments: Any, report: ReportProgress | None = None) -> Any:
    """Compute one task while no other is submitted, and return its result; raise what it raises, or that workers died of it."""
    for _ in range(START_ATTEMPTS):
        event = _last_events(executor, [Task(function.__name__, function, arguments)], report)[0]
        if event.kind == "done":
            return event.value
    raise cannot_start(event)


def call_each(
    executor: Executor, n_workers: int, function: Callable[..., Any], *arguments: Any, report: ReportProgress | None = None
) -> list[Any]:
    """Compute the same task on several workers at once; return the results of those that do not die. See `call`."""
    tasks = [Task(f"{function.__name__} {number}", function, arguments) for number in range(n_workers)]
    return [event.value for event in _last_events(executor, tasks, report) if event.kind == "done"]


def _last_events(executor: Executor, tasks: list[Task], report: ReportProgress | None) -> list[Event]:
    """Submit tasks and return the event that ended each; raise what one of them raises, pass on the progress of the first."""
    for task in tasks:
        executor.submit(task)
    ended: list[Event] = []
    while len(ended) < len(tasks):
        for event in executor.events(1.0):
            if event.kind == "raised":
                raise event.value
            if event.kind == "progress":
                if report is not None and event.task is not None and event.task.key == tasks[0].key:
                    report(event.value)
            elif event.task is not None:
                ended.append(event)
    return ended


def cannot_start(event: Event) -> SsdBenchError:
    """Return the error for workers that die before any cell can be blamed for it."""
    return SsdBenchError(
        f"A worker process cannot work: {event.value}.",
        event.log.strip(),
        "Use fewer --workers, and check the free memory.",
    )
