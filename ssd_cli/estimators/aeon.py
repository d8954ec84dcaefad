"""Classifiers for aeon."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from aeon.classification.base import BaseClassifier

from ssd_cli.estimators import core
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

_SMALL = {"recipe": "smoke", "epochs": 1, "device": "cpu"}
"""Settings of the library's own checks: they prove that things run, not that they learn."""


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

    def _fit(self, X: Any, y: Any) -> _Classifier:
        indices = np.array([self._class_dictionary[label] for label in y], dtype=np.int64)
        self.fitted_ = core.fit(_series(X), indices, self.n_classes_, self._method(), self._settings(), self.random_state)
        return self

    def _predict(self, X: Any) -> npt.NDArray:
        return self.classes_[self._predict_proba(X).argmax(axis=1)]

    def _predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        return self.fitted_.predict_proba(_series(X), self.threads)


def _series(X: Any) -> list[npt.NDArray[np.float64]]:
    return [np.asarray(series, dtype=np.float64) for series in X]


@documented(MethodParameters)
class MethodClassifier(MethodParameters, _Classifier):
    """Any method of the benchmark on any backbone.

    Examples
    --------
    >>> from ssd_cli import MethodClassifier
    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)
    >>> classifier = MethodClassifier(method="swa", backbone="lite[width=4]", epochs=2, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [
            {"method": "single", "backbone": "lite[width=2]", **_SMALL},
            {"method": "swa", "backbone": "fcn[width=2]", **_SMALL},
        ]


@documented(SSDParameters)
class SSDClassifier(SSDParameters, _Classifier):
    """Stochastic self-distillation: one network, taught by its own stochastic representations (Aslam et al. 2025).

    Examples
    --------
    >>> from ssd_cli import SSDClassifier
    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)
    >>> classifier = SSDClassifier(backbone="lite[width=4]", epochs=2, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [
            {"representations": 3, "backbone": "lite[width=2]", **_SMALL},
            {"representations": 2, "quantile": 0.0, "backbone": "fcn[width=2]", **_SMALL},
        ]


@documented(InceptionTimeParameters)
class InceptionTimeClassifier(InceptionTimeParameters, _Classifier):
    """InceptionTime: the mean of five Inception networks (Ismail Fawaz et al. 2020).

    Examples
    --------
    >>> from ssd_cli import InceptionTimeClassifier
    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)
    >>> classifier = InceptionTimeClassifier(n_classifiers=2, width=4, epochs=1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [{"n_classifiers": 1, "width": 2, "kernel": 8, **_SMALL}, {"n_classifiers": 2, "width": 2, "kernel": 4, **_SMALL}]


@documented(LITETimeParameters)
class LITETimeClassifier(LITETimeParameters, _Classifier):
    """LITETime: the mean of five LITE networks, forty times smaller than InceptionTime's (Ismail-Fawaz et al. 2023).

    Examples
    --------
    >>> from ssd_cli import LITETimeClassifier
    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)
    >>> classifier = LITETimeClassifier(n_classifiers=2, width=4, epochs=1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [{"n_classifiers": 1, "width": 2, "kernel": 8, **_SMALL}, {"n_classifiers": 2, "width": 2, "kernel": 4, **_SMALL}]


@documented(ResNetParameters)
class ResNetClassifier(ResNetParameters, _Classifier):
    """ResNet for time series (Wang et al. 2017).

    Examples
    --------
    >>> from ssd_cli import ResNetClassifier
    >>> from aeon.testing.data_generation import make_example_3d_numpy
    >>> X, y = make_example_3d_numpy(n_cases=8, n_timepoints=20, random_state=0)
    >>> classifier = ResNetClassifier(width=4, epochs=1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [{"width": 2, **_SMALL}, {"width": 2, "scale": "train", **_SMALL}]
