"""Output of the commands: plain tables on standard output; a live display or plain lines on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from ssd_cli.core.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ssd_cli.running.job import Outcome
    from ssd_cli.running.plan import PlannedCell
    from ssd_cli.running.progress import RunProgress

_HEARTBEAT_SECONDS = 30.0
_MANY_RECORDS = 2000  # reading them takes about two seconds


def prepare_streams() -> None:
    """Open closed standard streams on the null device, and let characters that the terminal's encoding lacks become escapes."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # a file opened later would get the number of the closed stream
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)
            stream = open(descriptor, "w" if number else "r", encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, stream)
        if number:
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "", flush: bool = False) -> None:
    """Print a line on standard output, with control characters as escapes."""
    print(printable(text), flush=flush)


def warn(text: str) -> None:
    """Print a line on standard error, with control characters as escapes."""
    print(printable(text), file=sys.stderr, flush=True)


def show_warning(text: str) -> None:
    """Print a warning about results on standard error."""
    warn(f"Warning: {text}")


def announce_reading(n_records: int) -> None:
    """Announce the reading of records if it takes seconds."""
    if n_records >= _MANY_RECORDS:
        warn(f"Reading {n_records} new or changed records; the next time it is quick.")


def debugging() -> bool:
    """Return whether the command line contains ``--debug``."""
    return "--debug" in sys.argv


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns on standard output; numbers are right-aligned, and the last column is not padded."""
    cells = [["" if value is None else printable(str(value)) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [
        bool(rows) and all(value is None or isinstance(value, int | float) for value in column)
        for column in zip(*rows, strict=True)
    ]
    right = right or [False] * len(header)
    for row in [list(header), *cells]:
        parts = [
            text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in zip(row, widths, right, strict=True)
        ]
        say("  ".join(parts).rstrip())


def duration(seconds: float) -> str:
    """Format seconds in the largest suitable unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def plural(number: int, noun: str) -> str:
    """Format a number with its noun: ``1 cell``, ``2 cells``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe(progress: Any) -> str:
    """Format the progress that a worker reports."""
    if isinstance(progress, str):
        return progress
    resumed = f" (cut off after {progress.resumed})" if progress.resumed else ""
    return f"{progress.label}, epoch {progress.epoch}/{progress.epochs}{resumed}, loss {progress.loss:.4f}"


def reporter() -> LineReporter | LiveReporter:
    """Return a live display if standard error is a terminal, else a reporter of plain lines."""
    return LiveReporter() if sys.stderr.isatty() else LineReporter()


def _line(planned: PlannedCell, outcome: Outcome, progress: RunProgress) -> str:
    place = f"[{progress.done_before + progress.finished}/{progress.total}]"
    if outcome.status == "ok":
        accuracy = "" if outcome.accuracy is None else f"accuracy {outcome.accuracy:.4f}"
        took = f", {duration(outcome.seconds)}" if outcome.seconds else ", by another run"
        return f"{place} {planned.cell}: {accuracy}{took}"
    return f"{place} {planned.cell}: {outcome.status.upper()}: {outcome.reason}"


class LineReporter:
    """Reporter that prints a line for every finished cell, and at least every half minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def update(self, progress: RunProgress) -> None:
        """Print a line if nothing was printed for half a minute."""
        if time.monotonic() - self._last < _HEARTBEAT_SECONDS:
            return
        now = "; ".join(f"{current.planned.cell}: {describe(current.progress)}" for current in progress.current.values())
        time_left = "" if progress.seconds_left is None else f", about {duration(progress.seconds_left)}"
        self.note(f"{plural(progress.left, 'cell')} left{time_left}; now: {now or 'waiting for other runs'}")

    def finished(self, planned: PlannedCell, outcome: Outcome, progress: RunProgress) -> None:
        """Print the line of a cell."""
        self.note(_line(planned, outcome, progress))

    def note(self, text: str) -> None:
        """Print a line."""
        self._last = time.monotonic()
        warn(text)


class LiveReporter:
    """A display that is redrawn: numbers of cells done, failed and left; the cell of every worker; the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def update(self, progress: RunProgress) -> None:
        """Draw the progress."""
        self._live.update(self._draw(progress))

    def finished(self, planned: PlannedCell, outcome: Outcome, progress: RunProgress) -> None:
        """Print a line above the display for a failed cell, and redraw."""
        if outcome.status == "failed":
            self.note(_line(planned, outcome, progress))
        self.update(progress)

    def note(self, text: str) -> None:
        """Print a line above the display."""
        self._console.print(printable(text))

    def _draw(self, progress: RunProgress) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done = progress.done_before + progress.finished
        counts = [f"{done} of {plural(progress.total, 'cell')} done", f"{progress.failed} failed" if progress.failed else ""]
        counts += [f"{progress.skipped} skipped" if progress.skipped else "", f"{progress.left} left"]
        counts += [f"{progress.elsewhere} with other runs" if progress.elsewhere else "", duration(progress.seconds)]
        counts += [f"about {duration(progress.seconds_left)} left" if progress.seconds_left is not None and progress.left else ""]
        workers = Table.grid(padding=(0, 2))
        for number, current in sorted(progress.current.items()):
            workers.add_row(f"worker {number}", printable(str(current.planned.cell)), printable(describe(current.progress)))
        rows = Table.grid()
        rows.add_row(Text(", ".join(filter(None, counts))))
        rows.add_row(ProgressBar(total=max(1, progress.total), completed=done, width=60))
        rows.add_row(workers)
        return rows
