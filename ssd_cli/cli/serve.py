"""``ssd-bench serve``: the page of `report`, renewed while a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ssd_cli.cli.beside import Others, Published, beside
from ssd_cli.cli.console import say
from ssd_cli.cli.report import heading
from ssd_cli.errors import MisuseError


def serve(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of 'ssd-bench run'.", show_default=False)],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8741,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page. [default: names of the folders]")] = None,
    published: Published = None,
    others: Others = None,
) -> None:
    """Show the page at an address of this machine, and keep it up to date while 'ssd-bench run' fills the folder."""
    from ssd_cli.cli.page_server import HOST, open_server

    for folder in folders:
        if not folder.is_dir():
            raise MisuseError(f"There is no folder {folder}.", "Expected the output folder of 'ssd-bench run'.")
    externals = beside(published, others)
    if externals is not None:
        externals({0})  # what is wrong with them is said here, and what must be fetched is fetched, not when the browser asks
    with open_server(folders, port, title or heading(folders), externals) as server:
        say(f"http://{HOST}:{server.server_port}/  (ends with Ctrl-C)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Ended.")
