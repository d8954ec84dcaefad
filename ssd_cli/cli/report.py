"""``ssd-bench report`` and ``ssd-bench serve``: one HTML page with all results."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ssd_cli.cli.console import announce_reading, say, show_warning
from ssd_cli.cli.options import Others, Published, external_sources
from ssd_cli.cli.status import folder_state
from ssd_cli.core.text import printable
from ssd_cli.core.version import __version__
from ssd_cli.errors import MisuseError


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of 'ssd-bench run'.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file. [default: report.html, inside the first DIR]")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page. [default: names of the folders]")] = None,
    published: Published = None,
    others: Others = None,
) -> None:
    """Write a page that ranks, tests and draws in the browser what is chosen there; it needs no network."""
    from ssd_cli.core.atomic import write_into
    from ssd_cli.leaderboard.page.assemble import assemble
    from ssd_cli.leaderboard.page.data import payload

    path = out or folders[0] / "report.html"
    if path.is_dir():
        raise MisuseError(f"{path} is a folder.", "Expected the name of a file.", f"Use -o {path / 'report.html'}")
    externals = external_sources(published, others)
    content = payload(folders, about=about(), on_reading=announce_reading, on_warning=show_warning, externals=externals)
    page = assemble(title or heading(folders), content)
    write_into(path.parent, [(path, page)])
    say(f"Written: {path} ({len(page) / 1e6:.2f} MB)")


def about() -> dict[str, Any]:
    """Return version and time: now, or $SOURCE_DATE_EPOCH (seconds) for a reproducible page."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    made = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)
    return {"version": __version__, "made": made.strftime("%Y-%m-%d %H:%M UTC")}


def heading(folders: list[Path]) -> str:
    """Return a title with the names of the folders."""
    return printable(f"ssd-bench: {', '.join(folder.resolve().name for folder in folders)}")


def serve(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of 'ssd-bench run'.", show_default=False)],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8741,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page. [default: names of the folders]")] = None,
    published: Published = None,
    others: Others = None,
) -> None:
    """Show the page at an address of this machine, and keep it up to date while 'ssd-bench run' fills the folder."""
    from ssd_cli.leaderboard.page.server import HOST, open_server

    for folder in folders:
        if not folder.is_dir():
            raise MisuseError(f"There is no folder {folder}.", "Expected the output folder of 'ssd-bench run'.")
    externals = external_sources(published, others)
    externals.read({0})  # report errors and download files now, not when the browser asks
    with open_server(folders, port, title or heading(folders), partial(progress, folders), externals) as server:
        say(f"http://{HOST}:{server.server_port}/  (ends with Ctrl-C)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Ended.")


def progress(folders: list[Path]) -> dict[str, Any]:
    """Return the counts of cells by state and of cells left, and the labels of the cells in progress."""
    counts: Counter[str] = Counter()
    working: list[str] = []
    for folder in folders:
        state = folder_state(folder)
        counts.update(state.records["status"].tolist())
        counts["left"] += len(state.planned_without_record)
        working += [owner.what for owner in state.claims.values()]
    return {**{key: counts[key] for key in ("ok", "failed", "skipped", "left")}, "working": sorted(working)}
