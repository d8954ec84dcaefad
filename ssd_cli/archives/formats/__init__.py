"""Formats of a dataset's files: one module for each, named as the extension is without its dot.

A module has the function ``read(path, equal_length=None, missing_label=None)``, which returns a `Part` with labels as they are
written (see `ssd_cli.archives.read.read_part`), and ``HOLDS_SUBJECTS = False`` if its files have no subjects. Datasets in a new
format are found, read, added and classified. Importing this module imports no other.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from ssd_cli.errors import SsdBenchError

_FIRST = (".ts", ".tsv", ".arff", ".npz", ".parquet", ".csv", ".txt")
"""Where a folder holds a dataset in several formats, the first of these is read; others come after them."""


@cache
def extensions() -> tuple[str, ...]:
    """Return the extensions of the known formats; if a folder holds several, the first in this order is read."""
    found = [f".{module.name}" for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return tuple(sorted(found, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)))


def format_of(extension: str) -> ModuleType:
    """Import the module of a format; raise SsdBenchError if no format has this extension."""
    if extension.lower() not in extensions():
        raise SsdBenchError(f"Files '*{extension}' are not understood.", f"Expected one of {', '.join(extensions())}.")
    return importlib.import_module(f"{__name__}.{extension.lower()[1:]}")


def holds_subjects(extension: str) -> bool:
    """Return whether files of a format can have the subject of every case."""
    return bool(getattr(format_of(extension), "HOLDS_SUBJECTS", True))
