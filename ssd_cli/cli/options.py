"""Options of commands: those that several commands share, and commands whose options are the fields of a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ssd_cli.cli import completion
from ssd_cli.core.options import option_of

Archives = Annotated[
    list[str] | None, typer.Option("--archive", help="Archive of datasets; repeatable.", autocompletion=completion.complete_archive)
]
Datasets = Annotated[
    list[str] | None, typer.Option("--dataset", help="Dataset, or Gun*; repeatable.", autocompletion=completion.complete_dataset)
]
DataDirs = Annotated[
    list[Path] | None, typer.Option("--data-dir", help="Folder of datasets, searched before $SSD_BENCH_DATA; repeatable.")
]


def with_options(settings: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its ``**options``, one option for each field of a dataclass; None means not given.

    Parameters
    ----------
    settings : type
        A dataclass whose fields are declared with `core.options.option`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(**values: Any) -> None:
            command(**values)

        own = inspect.signature(command, eval_str=True)
        parameters = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters += [_parameter(one, hint) for one, hint in _hinted_fields(settings)]
        wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _hinted_fields(settings: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(settings)
    return [(one, hints[one.name]) for one in dataclasses.fields(settings)]


def _parameter(one: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    """Return the parameter of a command for a field of this type."""
    shown = option_of(one)
    kind: Any = next(iter(kind for kind in typing.get_args(hint) if kind is not type(None)), hint)
    if typing.get_origin(hint) is tuple:
        kind = str if kind is int else list[kind]  # numbers come as text: 5, or 0,3,7
    flags = shown.flags or (f"--{one.name.replace('_', '-')}",)
    complete = getattr(completion, f"complete_{shown.names}") if shown.names else None
    annotation = Annotated[kind | None, typer.Option(*flags, help=shown.text, autocompletion=complete)]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
