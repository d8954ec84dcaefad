"""The main function of a worker process, which computes tasks until its parent process sends None or ends."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from multiprocessing import connection, parent_process
from typing import Any, NoReturn

from ssd_cli.errors import SsdBenchError
from ssd_cli.running.executors.base import WorkerError, WorkerSettings, throttled
from ssd_cli.running.plugins import add_plugins

_PROGRESS_SECONDS = 0.2


class Stopped(BaseException):
    """The parent process stops this worker. This is no Exception, so that tasks do not suppress it."""


def main(tasks: connection.Connection, log: connection.Connection, settings: WorkerSettings) -> None:
    """Compute the tasks that arrive over the pipe `tasks` until None arrives.

    A task is ``(function, arguments)``. Answers are ``("ready", None)`` at the start, ``("progress", value)``, ``("done", result)``
    and ``("raised", SsdBenchError)``. Standard output and error go to the pipe `log`.
    """
    # A terminal sends Ctrl-C to all its processes. Only the parent process reacts to it: it stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    for descriptor in (1, 2):
        os.dup2(log.fileno(), descriptor)
    threading.Thread(target=_exit_with_parent, name="parent watch", daemon=True).start()
    try:
        tasks.send(("ready", None))
        _serve(tasks, settings)
    except Stopped:
        raise SystemExit(128 + signal.SIGTERM) from None
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent process has ended


def compute(function: Any, arguments: tuple[Any, ...], report: Any) -> tuple[str, Any]:
    """Call a function and return kind and value of the `Event` that ends its task."""
    try:
        return "done", function(*arguments, report)
    except SsdBenchError as error:
        return "raised", error
    except Exception as error:
        what = f"Unexpected error: {type(error).__name__}: {error}."
        return "raised", WorkerError(what, "", "Run again with --debug for the traceback.", traceback.format_exc())


def _serve(tasks: connection.Connection, settings: WorkerSettings) -> None:
    """Compute tasks until None arrives. The first task also registers the plug-ins, and so raises their errors."""
    prepared, report = False, throttled(lambda progress: tasks.send(("progress", progress)), _PROGRESS_SECONDS)

    def prepare_and_call(function: Any, *arguments: Any) -> Any:
        nonlocal prepared
        if not prepared:
            add_plugins(settings.plugins)
            prepared = True
        return function(*arguments)

    while (task := tasks.recv()) is not None:
        function, arguments = task
        tasks.send(compute(prepare_and_call, (function, *arguments), report))


def _stop(number: int, frame: Any) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _exit_with_parent() -> None:
    """End this process, which frees its claims, as soon as its parent has ended."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
