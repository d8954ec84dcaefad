"""Registries map names to classes that are imported on first use.

A registry reads a folder or file of classes decorated with ``@register("name")``. It takes the names from the source text, so that
listing names takes milliseconds without importing torch, and so that a new entry is one new file.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ssd_cli.errors import MisuseError, did_you_mean

T = TypeVar("T")

LISTED = ("method", "backbone", "recipe")
"""Kinds that ``ssd-bench ls`` lists."""


@dataclass(frozen=True)
class RegistryEntry:
    """A registered name, as its source file states it."""

    name: str
    summary: str
    module: str
    plugin_sha256: str = ""
    """Digest of the defining file, if it lies outside the package."""


class Registry(Generic[T]):
    """Lazily imported classes by name.

    Parameters
    ----------
    kind : str
        Kind of the entries in the singular ("method"), for messages; its plural is the name of the registry in decorators.
    source : str
        Dotted name of the package or module whose files are read for ``@register("name")`` decorators.
    pluggable : bool
        Whether users may add entries with ``--plugin``.
    sort : bool
        List the entries by name, else in the order of the source.
    """

    def __init__(self, kind: str, source: str, *, pluggable: bool = True, sort: bool = True) -> None:
        self.kind = kind
        self._pluggable, self._sort = pluggable, sort
        self._source, self._variable = source, f"{kind.replace(' ', '_')}s"
        self._entries: dict[str, RegistryEntry] | None = None
        self._classes: dict[str, type[T]] = {}

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: register the class as `name`."""

        def decorate(cls: type[T]) -> type[T]:
            known = self._classes.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise MisuseError(f"Two {self.kind}s are called '{name}': {known.__module__} and {cls.__module__}.")
            self._classes[name] = cls
            return cls

        return decorate

    def entries(self) -> list[RegistryEntry]:
        """Return all entries without importing their modules."""
        if self._entries is None:
            self._entries = {}
            for module, path in _source_files(self._source):
                self._add(_scan(path, module, self._variable))
        entries = list(self._entries.values())
        return sorted(entries, key=lambda entry: entry.name) if self._sort else entries

    def names(self) -> list[str]:
        """Return all names in the order of `entries`; before that one is called, without parsing the files."""
        if self._entries is not None:
            return [entry.name for entry in self.entries()]
        decorator = re.compile(rf'^@{self._variable}\.register\("([^"]+)"\)', re.MULTILINE)
        found = [name for _, path in _source_files(self._source) for name in decorator.findall(path.read_text(encoding="utf-8"))]
        return sorted(found) if self._sort else found

    def listed(self) -> list[str]:
        """Return the names for messages; here all of them."""
        return self.names()

    def entry(self, name: str) -> RegistryEntry:
        """Return the entry called `name`; the error for an unknown name suggests the nearest one."""
        for entry in self.entries():
            if entry.name == name:
                return entry
        known = self.listed()
        hint = f"See: ssd-bench ls {self.kind}s." if self.kind in LISTED else ""
        own = " Add your own with --plugin FILE.py." if self._pluggable else ""
        what = f"Unknown {self.kind} '{name}'.{did_you_mean(name, known)}"
        raise MisuseError(what, f"Known {self.kind}s: {', '.join(known)}.", (hint + own).strip())

    def get(self, name: str) -> type[T]:
        """Import and return the class called `name`."""
        entry = self.entry(name)
        if name not in self._classes:
            importlib.import_module(entry.module)
        return self._classes[name]

    def add_plugin(self, path: Path) -> list[str]:
        """Read the entries of a Python file, import it, and return the names it defines for this registry.

        The file's SHA-256 becomes part of the identity of everything it defines.
        """
        self.entries()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        module = f"ssd_bench_plugin_{digest[:16]}"
        found = _scan(path, module, self._variable, digest)
        self._add(found)
        if module not in sys.modules:
            specification = importlib.util.spec_from_file_location(module, path)
            assert specification is not None and specification.loader is not None
            sys.modules[module] = loaded = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(loaded)
        return [entry.name for entry in found if entry.name in self._classes]

    def forget(self, name: str) -> None:
        """Remove an entry that a plug-in added."""
        entry = self.entry(name)
        assert self._entries is not None and entry.plugin_sha256
        sys.modules.pop(entry.module, None)  # otherwise adding the file again would register nothing
        del self._entries[name]
        self._classes.pop(name, None)

    def _add(self, entries: list[RegistryEntry]) -> None:
        assert self._entries is not None
        for entry in entries:
            known = self._entries.get(entry.name)
            if known is not None and known != entry:
                raise MisuseError(f"Two {self.kind}s are called '{entry.name}': in {known.module} and {entry.module}.")
            self._entries[entry.name] = entry


def _source_files(source: str) -> list[tuple[str, Path]]:
    specification = importlib.util.find_spec(source)
    assert specification is not None and specification.origin is not None
    origin = Path(specification.origin)
    if origin.name != "__init__.py":
        return [(source, origin)]
    return [(f"{source}.{path.stem}", path) for path in sorted(origin.parent.glob("*.py")) if path.stem != "__init__"]


def _scan(path: Path, module: str, registry: str, digest: str = "") -> list[RegistryEntry]:
    """Entries whose class carries the decorator ``@<registry>.register("name")``, read from the text."""
    text = path.read_text(encoding="utf-8")
    if f"@{registry}.register(" not in text and not digest:
        return []
    try:
        tree = ast.parse(text, filename=str(path))
    except SyntaxError as error:
        raise MisuseError(f"{path}, line {error.lineno}: not valid Python ({error.msg}).") from error
    entries = []
    for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(ast.Attribute(ast.Name(variable), "register"), [ast.Constant(name), *_]) if variable == registry:
                    summary = (ast.get_docstring(node) or "").strip().split("\n")[0]
                    entries.append(RegistryEntry(str(name), summary, module, digest))
    return entries
