"""The worker's side: a process that does one task after another until its parent has none left, or is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any, NoReturn

from ssd_cli.errors import SsdBenchError

Tell = Callable[[Any], None]
"""Sends progress to the parent."""

_PROGRESS_SECONDS = 0.2


class Stopped(BaseException):
    """The parent asked this worker to stop; no `except Exception` swallows it, every `finally` runs."""


class WorkerError(SsdBenchError):
    """A task raised something that nobody foresaw; `trace` is the worker's traceback."""

    def __init__(self, what: str, expected: str = "", remedy: str = "", trace: str = "") -> None:
        super().__init__(what, expected, remedy)
        self.args = (what, expected, remedy, trace)
        self.trace = trace


@dataclass(frozen=True)
class Settings:
    """What every worker of a run has in common.

    Parameters
    ----------
    threads : int
        Of numerical libraries, set before any of them is loaded.
    plugins : tuple of Path
        Files whose methods and backbones are added to the registries.
    """

    threads: int = 1
    plugins: tuple[Path, ...] = ()


def thread_variables(threads: int) -> dict[str, str]:
    """Environment variables that numerical libraries read when they are loaded."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM", "BLIS")
    return {f"{name}_NUM_THREADS": str(threads) for name in names}


def add_plugins(files: tuple[Path, ...]) -> list[str]:
    """Add the methods and backbones of files outside the package to the registries; return their names.

    Raises
    ------
    MisuseError
        A file cannot be read, is not valid Python, fails when it is imported, or defines nothing.
    """
    from ssd_cli.backbones.registry import backbones
    from ssd_cli.errors import MisuseError
    from ssd_cli.methods.registry import methods

    names = []
    for file in files:
        try:
            found = [*methods.add_plugin(file), *backbones.add_plugin(file)]
        except OSError as error:
            raise MisuseError(f"Cannot read the plug-in {file}: {error.strerror}.") from error
        except SsdBenchError:
            raise
        except Exception as error:
            raise MisuseError(f"The plug-in {file} fails when it is imported: {type(error).__name__}: {error}.") from error
        if not found:
            raise MisuseError(
                f"The plug-in {file} defines no method and no backbone.",
                'Expected a class decorated with @methods.register("name") or @backbones.register("name").',
            )
        names += found
    return names


def main(tasks: connection.Connection, log: connection.Connection, settings: Settings) -> None:
    """Do the tasks that come over `tasks` until None comes.

    A task is ``(function, arguments)``; the function is called with the arguments and `tell`. Answers are ``("ready", None)`` at
    the start, ``("progress", value)``, ``("done", result)`` and ``("raised", SsdBenchError)``.
    """
    # The parent hears Ctrl-C and tells its workers; the terminal sends it to all of them.
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
        pass  # the parent is gone


def _serve(tasks: connection.Connection, settings: Settings) -> None:
    prepared = False
    tell = _Throttled(tasks)
    while (task := tasks.recv()) is not None:
        function, arguments = task
        try:
            if not prepared:
                add_plugins(settings.plugins)
                prepared = True
            result = function(*arguments, tell)
        except SsdBenchError as error:
            tasks.send(("raised", error))
        except Exception as error:
            what = f"An error that nobody foresaw: {type(error).__name__}: {error}."
            tasks.send(("raised", WorkerError(what, "", "Run again with --debug for the traceback.", traceback.format_exc())))
        else:
            tasks.send(("done", result))


class _Throttled:
    """Sends progress, but not more often than anybody can read."""

    def __init__(self, tasks: connection.Connection) -> None:
        self._tasks = tasks
        self._last = -_PROGRESS_SECONDS

    def __call__(self, progress: Any) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS:
            self._last = now
            self._tasks.send(("progress", progress))


def _stop(number: int, frame: Any) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _exit_with_parent() -> None:
    """Leave at once when the parent is gone, in whatever this process is doing; what it had claimed is then free."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
