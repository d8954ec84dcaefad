"""Plug-ins in the process of the tests, for the tests that need them and for no others."""

from collections.abc import Iterator
from contextlib import contextmanager

from ssd_cli.methods import methods


@contextmanager
def forgotten() -> Iterator[None]:
    """Forget, at the end, the methods of plug-ins that were added meanwhile: other tests know nothing of them."""
    before = {entry.name for entry in methods.entries()}
    yield
    for name in {entry.name for entry in methods.entries()} - before:
        methods.forget(name)
