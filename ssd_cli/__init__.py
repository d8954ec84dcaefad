"""ssd-bench: a benchmark of stochastic self-distillation on time-series classification."""

from typing import Any

from ssd_cli.core.version import PROTOCOL_VERSION as PROTOCOL_VERSION
from ssd_cli.core.version import __version__ as __version__

_CLASSIFIERS = ("InceptionTimeClassifier", "LITETimeClassifier", "MethodClassifier", "ResNetClassifier", "SSDClassifier")


def __getattr__(name: str) -> Any:
    """Import the classifiers for aeon on first use: they load torch, which takes seconds."""
    if name not in _CLASSIFIERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ssd_cli.estimators import aeon

    return getattr(aeon, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_CLASSIFIERS])
