"""A group of commands that are imported when they are called; ``ssd-bench --help`` and shell completion import none of them."""

from __future__ import annotations

import importlib
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup


class LazyCommand(TyperCommand):
    """The entry of one command in the list of commands.

    Parameters
    ----------
    name : str
        Name on the command line.
    target : str
        ``module:name`` of the function, or of the `typer.Typer` with further commands.
    short_help : str
        Sentence in the list of commands.
    hidden : bool
        Leave the command out of the list.
    """

    def __init__(self, name: str, target: str, short_help: str, *, hidden: bool = False) -> None:
        super().__init__(name, short_help=short_help, hidden=hidden, rich_markup_mode=None)
        self._target = target

    def load(self) -> Any:
        """Import and return the command itself."""
        module, _, attribute = self._target.partition(":")
        target = getattr(importlib.import_module(module), attribute)
        group = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
        if isinstance(target, typer.Typer):
            group.add_typer(target, name=self.name, help=self.short_help)
        else:
            group.command(name=self.name)(target)
        return typer.main.get_group(group).commands[str(self.name)]


class LazyGroup(TyperGroup):
    """Group that imports only the command that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the arguments name, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def lazy_group(commands: list[LazyCommand]) -> type[LazyGroup]:
    """Return the class of a group with these commands, for `typer.Typer`."""

    class Group(LazyGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes | {"commands": {str(command.name): command for command in commands}})

    return Group
