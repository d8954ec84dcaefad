"""Plug-ins in the process of the tests, for the tests that need them and for no others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ssd_cli.methods import methods


@contextmanager
def forgotten() -> Iterator[None]:
    """Forget, at the end, the methods of plug-ins that were added meanwhile: other tests know nothing of them."""
    before = {entry.name for entry in methods.entries()}
    yield
    for name in {entry.name for entry in methods.entries()} - before:
        sys.modules.pop(methods.entry(name).module, None)  # or the file would register nothing when it comes again
        methods._entries.pop(name)
        methods._classes.pop(name, None)
