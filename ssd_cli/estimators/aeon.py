"""Classifiers for aeon."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from aeon.classification.base import BaseClassifier

from ssd_cli.estimators.parameters import (
    InceptionTimeParameters,
    LITETimeParameters,
    MethodParameters,
    Parameters,
    ResNetParameters,
    SSDParameters,
    documented,
)

__all__ = ["InceptionTimeClassifier", "LITETimeClassifier", "MethodClassifier", "ResNetClassifier", "SSDClassifier"]


class _Classifier(Parameters, BaseClassifier):
    """What aeon asks of a classifier."""

    _tags = {  # noqa: RUF012
        "X_inner_type": ["np-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "algorithm_type": "deeplearning",
        "python_dependencies": "torch",
    }

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return arguments for the library's checks."""
        return cls._test_params()

    @staticmethod
    def _series(X: Any) -> list[npt.NDArray[np.float64]]:
        return [np.asarray(series, dtype=np.float64) for series in X]


_documented = documented(
    "ssd_cli",
    """    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)""",
    "(8, 2)",
)


@_documented
class MethodClassifier(MethodParameters, _Classifier):  # noqa: D101 - the decorator documents it
    pass


@_documented
class SSDClassifier(SSDParameters, _Classifier):  # noqa: D101 - the decorator documents it
    pass


@_documented
class InceptionTimeClassifier(InceptionTimeParameters, _Classifier):  # noqa: D101 - the decorator documents it
    pass


@_documented
class LITETimeClassifier(LITETimeParameters, _Classifier):  # noqa: D101 - the decorator documents it
    pass


@_documented
class ResNetClassifier(ResNetParameters, _Classifier):  # noqa: D101 - the decorator documents it
    pass
