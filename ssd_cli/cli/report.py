"""``ssd-bench report``: one HTML file with all results."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ssd_cli.cli.console import announce_reading, say
from ssd_cli.cli.options import Others, Published, external_sources
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
    from ssd_cli.leaderboard.page.assemble import assemble, write
    from ssd_cli.leaderboard.page.data import payload

    path = out or folders[0] / "report.html"
    if path.is_dir():
        raise MisuseError(f"{path} is a folder.", "Expected the name of a file.", f"Use -o {path / 'report.html'}")
    content = payload(folders, about=about(), on_reading=announce_reading, externals=external_sources(published, others))
    page = assemble(title or heading(folders), content)
    write(path, page)
    say(f"Written: {path} ({len(page) / 1e6:.2f} MB)")


def about() -> dict[str, Any]:
    """Return version and time: now, or $SOURCE_DATE_EPOCH (seconds) for a reproducible page."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    made = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)
    return {"version": __version__, "made": made.strftime("%Y-%m-%d %H:%M UTC")}


def heading(folders: list[Path]) -> str:
    """Return a title with the names of the folders."""
    return f"ssd-bench: {', '.join(folder.resolve().name for folder in folders)}"
