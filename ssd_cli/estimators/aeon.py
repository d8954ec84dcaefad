"""Classifiers for aeon."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from aeon.classification.base import BaseClassifier

from ssd_cli.estimators import parameters

__all__ = ["InceptionTimeClassifier", "LITETimeClassifier", "MethodClassifier", "ResNetClassifier", "SSDClassifier"]


class _Classifier(parameters.Parameters, BaseClassifier):
    """The interface of aeon's classifiers."""

    _module = "ssd_cli"
    _data = """    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)"""
    _shape = "(8, 2)"
    _tags = {  # noqa: RUF012
        "X_inner_type": ["np-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "algorithm_type": "deeplearning",
        "python_dependencies": "torch",
    }

    @staticmethod
    def _series(X: Any) -> list[npt.NDArray[np.float64]]:
        return [np.asarray(series, dtype=np.float64) for series in X]


class MethodClassifier(parameters.MethodParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class SSDClassifier(parameters.SSDParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class InceptionTimeClassifier(parameters.InceptionTimeParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class LITETimeClassifier(parameters.LITETimeParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class ResNetClassifier(parameters.ResNetParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it
