"""Statistical tests of all pairs of methods: each file of this folder is one test, with a function ``judge(scores, alpha)``.

The name of a test is the name of its file, with "-" for "_". A new file appears in ``compare --test``, in captions and on the page.
Scores (n_datasets, n_methods) have the methods in the order of their average ranks, best first.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from ssd_cli.errors import MisuseError

if TYPE_CHECKING:
    from ssd_cli.statistics.pairs import Floats, Verdicts

DEFAULT = "ssd-bench"


def names() -> list[str]:
    """Return the names of all tests, the default first; no test is imported."""
    found = sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return [DEFAULT, *(name for name in found if name != DEFAULT)]


def judge(scores: Floats, name: str = DEFAULT, alpha: float = 0.05) -> Verdicts:
    """Test every pair and form the groups of methods that do not differ.

    Raise MisuseError for an unknown name, and for two methods where a test needs three.
    """
    if name not in names():
        raise MisuseError(f"Unknown test '{name}'.", f"Expected one of {', '.join(names())}.")
    verdicts: Verdicts = import_module(f"{__name__}.{name.replace('-', '_')}").judge(scores, alpha)
    return verdicts
