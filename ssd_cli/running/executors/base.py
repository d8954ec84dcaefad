"""The interface of executors. The code that schedules, retries and counts cells uses only this interface."""

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
"""Passes the progress of a task to the code that submitted it: a text, or the progress of a training."""

START_ATTEMPTS = 3
"""Number of workers that may die in succession before they are ready; then the run stops."""


def throttled(report: ReportProgress, seconds: float, wait: float = 0.0) -> ReportProgress:
    """Return a function that passes on at most one report per `seconds`, and none in the first `wait` seconds."""
    earliest = time.monotonic() + wait

    def report_if_due(progress: Any) -> None:
        nonlocal earliest
        if time.monotonic() >= earliest:
            earliest = time.monotonic() + seconds
            report(progress)

    return report_if_due


class WorkerError(SsdBenchError):
    """Report an unexpected error of a task; `trace` is the worker's traceback."""

    def __init__(self, what: str, expected: str = "", remedy: str = "", trace: str = "") -> None:
        super().__init__(what, expected, remedy)
        self.args = (what, expected, remedy, trace)
        self.trace = trace


@dataclass(frozen=True)
class WorkerSettings:
    """Settings that all workers of a run share."""

    threads: int = 1  # of the numerical libraries in each worker, set before a library is loaded
    plugins: tuple[Path, ...] = ()  # files whose methods and backbones every worker registers
    n_workers: int = 1  # number of workers that may compute at once


@dataclass(frozen=True)
class Task:
    """A call that an executor makes in one of its workers: ``function(*arguments, report)``.

    The function can be imported by name, and the arguments can be pickled. The argument of a cell is its `Job`, which names all
    files that the cell needs. If the workers cannot read these files, the executor sends dataset, networks and plug-ins with the
    task. The worker then writes into another folder, and the executor copies record, predictions and networks into `Job.out`.
    """

    key: str  # unique in a run
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    group: str = ""  # tasks of one group share data and networks, so one worker computes them faster in succession


@dataclass(frozen=True)
class Event:
    """Progress or end of a task, or the death of a worker.

    Parameters
    ----------
    kind : {"progress", "done", "raised", "died"}
    value : object
        The reported progress, the result, the SsdBenchError, or a text that says how the worker died.
    task : Task, optional
        None if an idle worker died.
    log : str
        The last output of a dead worker (standard output and error).
    started : bool
        False if the worker died before it was ready, so that no task can be the cause.
    """

    kind: Literal["progress", "done", "raised", "died"]
    value: Any
    task: Task | None = None
    log: str = ""
    started: bool = True


class Executor(ABC):
    """Workers that compute tasks."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings

    @property
    def capacity(self) -> int:
        """Return how many tasks the executor computes at once."""
        return self.settings.n_workers

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Start a task without waiting for it. Callers have at most `capacity` unfinished tasks."""

    @abstractmethod
    def events(self, seconds: float) -> list[Event]:
        """Return the events since the last call; wait up to `seconds` for the first one.

        Every task ends with exactly one event of a kind other than "progress".
        """

    @abstractmethod
    def cancel(self) -> None:
        """Stop all tasks so that they release their claims; wait a few seconds for them."""

    @abstractmethod
    def close(self) -> None:
        """End all workers immediately."""

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
    """Compute one task while the executor has no other, and return its result.

    Raises
    ------
    SsdBenchError
        The task raised it, or `START_ATTEMPTS` workers in a row died.
    """
    for _ in range(START_ATTEMPTS):
        event = _final_events(executor, [Task(function.__name__, function, arguments)], report)[0]
        if event.kind == "done":
            return event.value
    raise cannot_start(event)


def call_each(
    executor: Executor, n_workers: int, function: Callable[..., Any], *arguments: Any, report: ReportProgress | None = None
) -> list[Any]:
    """Compute the same task on several workers at once; return the results of the workers that do not die. See `call`."""
    tasks = [Task(f"{function.__name__} {number}", function, arguments) for number in range(n_workers)]
    return [event.value for event in _final_events(executor, tasks, report) if event.kind == "done"]


def _final_events(executor: Executor, tasks: list[Task], report: ReportProgress | None) -> list[Event]:
    """Submit tasks and return the event that ended each; raise the error of a task, pass on the progress of the first task."""
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
    """Return the error for workers that die before they can compute."""
    return SsdBenchError(
        f"A worker process cannot work: {event.value}.",
        event.log.strip(),
        "Use fewer --workers, and check the free memory.",
    )
