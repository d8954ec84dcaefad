"""Results of others beside one's own: the options that `compare`, `report` and `serve` share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ssd_cli.leaderboard.external import External, Externals

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


def beside(published: str | None, others: list[Path] | None) -> Externals | None:
    """Read what the options name, for the resamples of one's own results; None where they name nothing."""
    from ssd_cli.cli.reference_results import fetch
    from ssd_cli.leaderboard.foreign import foreign
    from ssd_cli.leaderboard.published import published as load

    names = [name.strip() for name in (published or "").split(",") if name.strip()]
    if not names and not others:
        return None

    @cache  # a page asks again and again
    def read(resamples: frozenset[int]) -> list[External]:
        chosen = set(resamples)
        return [*load(names, chosen, fetch), *(one for path in others or [] for one in foreign(path, chosen))]

    return lambda resamples: read(frozenset(resamples))
