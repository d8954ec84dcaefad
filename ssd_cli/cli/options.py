"""Options of commands: shell completion, options that several commands share, options from the fields of a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssd_cli.core.options import option_of

if TYPE_CHECKING:
    from ssd_cli.leaderboard.external.sources import ExternalSources


def completing(kind: str) -> Callable[[str], list[str]]:
    """Return the shell completion for names of a kind ("archive", "dataset", "method", "backbone", "recipe")."""

    def complete(incomplete: str) -> list[str]:
        return sorted(name for name in _names(kind) if name.startswith(incomplete))

    return complete


def _names(kind: str) -> Iterable[str]:
    if kind in ("archive", "dataset"):
        from ssd_cli.archives import catalog, locate

        return catalog.archives() if kind == "archive" else {*catalog.names(), *locate.folders()}
    from ssd_cli.backbones import backbones
    from ssd_cli.methods import methods
    from ssd_cli.training import recipes

    return {"method": methods.listed, "backbone": backbones.listed, "recipe": recipes.listed}[kind]()


Archives = Annotated[
    list[str] | None, typer.Option("--archive", help="Archive of datasets; repeatable.", autocompletion=completing("archive"))
]
Datasets = Annotated[
    list[str] | None, typer.Option("--dataset", help="Dataset, or Gun*; repeatable.", autocompletion=completing("dataset"))
]
DataDirs = Annotated[
    list[Path] | None, typer.Option("--data-dir", help="Folder of datasets, searched before $SSD_BENCH_DATA; repeatable.")
]
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
    """Return the sources that the options name; downloads are announced on standard error."""
    from ssd_cli.cli.console import warn
    from ssd_cli.leaderboard.external.sources import ExternalSources

    names = [name.strip() for name in (published or "").split(",") if name.strip()]
    return ExternalSources(tuple(names), tuple(others or ()), announce=warn)


def with_options(settings: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the ``**options`` of a command by one option per field of a dataclass; None means not given.

    The fields of the dataclass are declared with `core.options.option`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(**values: Any) -> None:
            command(**values)

        own = inspect.signature(command, eval_str=True)
        parameters = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        hints = typing.get_type_hints(settings)
        parameters += [_parameter(one, hints[one.name]) for one in dataclasses.fields(settings)]
        wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _parameter(one: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    """Return the parameter of a command for a field of this type."""
    shown = option_of(one)
    kind: Any = next(iter(kind for kind in typing.get_args(hint) if kind is not type(None)), hint)
    if typing.get_origin(hint) is tuple:
        kind = str if kind is int else list[kind]  # the command line gives numbers as text: 5, or 0,3,7
    flags = shown.flags or (f"--{one.name.replace('_', '-')}",)
    complete = completing(shown.names) if shown.names else None
    annotation = Annotated[kind | None, typer.Option(*flags, help=shown.text, autocompletion=complete)]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
