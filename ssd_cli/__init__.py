"""ssd-bench: does stochastic self-distillation pay on time-series classification? This package answers."""

from typing import Any

__version__ = "0.1.0"

PROTOCOL_VERSION = 1
"""Raised whenever the same configuration could give other numbers; results of different versions are never mixed."""

_CLASSIFIERS = ("InceptionTimeClassifier", "LITETimeClassifier", "MethodClassifier", "ResNetClassifier", "SSDClassifier")


def __getattr__(name: str) -> Any:
    """Import the classifiers for aeon when they are asked for: they load torch, which takes seconds."""
    if name not in _CLASSIFIERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ssd_cli.estimators import aeon

    return getattr(aeon, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_CLASSIFIERS])
