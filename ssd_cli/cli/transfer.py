"""Progress of downloads: bars on a terminal, otherwise a line for every dataset."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Self

from ssd_cli.archives.fetch import Watcher
from ssd_cli.cli.console import warn
from ssd_cli.core.text import printable
from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    from rich.progress import TaskID


def transfers() -> contextlib.AbstractContextManager[Watcher]:
    """Return the watcher for standard error."""
    return LiveTransfers() if sys.stderr.isatty() else contextlib.nullcontext(LineTransfers())


class LineTransfers(Watcher):
    """Print a line for every dataset that is installed."""

    def __init__(self) -> None:
        self._bytes: dict[str, int] = {}
        self._lock = threading.Lock()

    def started(self, name: str, n_bytes: int | None) -> None:
        """Set the dataset's byte count to 0."""
        with self._lock:
            self._bytes[name] = 0

    def advanced(self, name: str, n_bytes: int) -> None:
        """Add to the dataset's byte count."""
        with self._lock:
            self._bytes[name] = self._bytes.get(name, 0) + n_bytes

    def finished(self, name: str, error: SsdBenchError | None) -> None:
        """Print the result of the transfer."""
        size = f" ({self._bytes[name] / 1e6:.1f} MB)" if self._bytes.get(name) else ""
        warn(f"{name}: {'FAILED' if error else 'placed'}{size}")


class LiveTransfers(Watcher):
    """Show a bar for every running download."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def started(self, name: str, n_bytes: int | None) -> None:
        """Show the bar of the dataset."""
        self._tasks[name] = self._progress.add_task(name, total=n_bytes)

    def advanced(self, name: str, n_bytes: int) -> None:
        """Advance the bar."""
        self._progress.advance(self._tasks[name], n_bytes)

    def finished(self, name: str, error: SsdBenchError | None) -> None:
        """Remove the bar, and print a line after a failure."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))
        if error is not None:
            self._progress.console.print(printable(f"{name}: FAILED"), markup=False)
