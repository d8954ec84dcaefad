"""The options by which `compare`, `report` and `serve` add results of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ssd_cli.leaderboard.external.sources import ExternalSources

Published = Annotated[
    str | None,
    typer.Option(
        "--published",
        metavar="NAME,...",
        help="Put published accuracies beside them: inceptiontime, resnet, rocket, …; aeon:HC2 and the like are fetched.",
    ),
]
Others = Annotated[
    list[Path] | None, typer.Option("--with", help="Results of another tool: a tsml folder, or a CSV 'dataset,METHOD,METHOD,…'.")
]


def external_sources(published: str | None, others: list[Path] | None) -> ExternalSources:
    """Return the sources that the options name."""
    from ssd_cli.leaderboard.external.sources import ExternalSources

    names = [name.strip() for name in (published or "").split(",") if name.strip()]
    return ExternalSources(tuple(names), tuple(others or ()))
