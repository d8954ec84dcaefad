"""``ssd-bench ls``: list archives, datasets, methods, backbones and recipes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ssd_cli.cli.console import table


class What(StrEnum):
    """Kinds of names that can be listed."""

    archives = "archives"
    datasets = "datasets"
    methods = "methods"
    backbones = "backbones"
    recipes = "recipes"


def ls(
    what: Annotated[What, typer.Argument(help="What to list.", show_default=False)],
    data_dir: Annotated[list[Path] | None, typer.Option(help="Folder of datasets, for 'datasets'; repeatable.")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="File with methods or backbones of your own; repeatable.")] = None,
) -> None:
    """List archives, datasets, methods, backbones or recipes."""
    if plugin:
        from ssd_cli.running.plugins import add_plugins

        add_plugins(tuple(plugin))
    if what is What.archives:
        _archives()
    elif what is What.datasets:
        _datasets(data_dir or [])
    else:
        _entries(what)


def _archives() -> None:
    from ssd_cli.archives import catalog

    members = catalog.archives()
    table(["archive", "datasets", ""], [(name, len(members[name]), text) for name, text in catalog.ARCHIVES.items()])


def _datasets(data_dirs: list[Path]) -> None:
    from ssd_cli.archives import catalog
    from ssd_cli.archives.locate import folders

    members = catalog.archives()
    rows = []
    for name in sorted({*catalog.names(), *folders(data_dirs)}):
        size = catalog.size(name) or catalog.Size()
        archives = " ".join(archive for archive, names in members.items() if name in names)
        rows.append((name, size.n_train, size.n_test, size.n_channels, size.n_timepoints, size.n_classes, archives or "own folder"))
    table(["dataset", "n_train", "n_test", "n_channels", "n_timepoints", "n_classes", "archives"], rows)


def _entries(what: What) -> None:
    from ssd_cli.backbones import backbones
    from ssd_cli.methods import methods
    from ssd_cli.training import recipes

    entries = {What.methods: methods.entries, What.backbones: backbones.entries, What.recipes: recipes.entries}[what]
    found = [*entries(), *(methods.external_classifiers() if what is What.methods else [])]
    table([what.value[:-1], ""], [(entry.name, entry.summary) for entry in found])
