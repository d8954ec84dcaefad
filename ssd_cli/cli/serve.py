"""``ssd-bench serve``: the page of `report`, updated during a run."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ssd_cli.cli.console import say
from ssd_cli.cli.options import Others, Published, external_sources
from ssd_cli.cli.report import heading
from ssd_cli.cli.status import folder_state
from ssd_cli.errors import MisuseError


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
