"""Classifiers for sktime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sktime.classification.base import BaseClassifier

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
    """What sktime asks of a classifier."""

    _tags = {  # noqa: RUF012
        "X_inner_mtype": ["df-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "capability:predict_proba": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "python_dependencies": "torch",
    }

    def __post_init__(self) -> None:
        if "_is_fitted" not in vars(self):  # sktime's constructor calls this hook too, after it has set this attribute
            super().__post_init__()

    def _fit(self, X: Any, y: Any) -> _Classifier:
        indices = np.array([self._class_dictionary[label] for label in y], dtype=np.int64)
        self.fitted_ = core.fit(_series(X), indices, self.n_classes_, self._method(), self._settings(), self.random_state)
        return self

    def _predict(self, X: Any) -> npt.NDArray:
        return self.classes_[self._predict_proba(X).argmax(axis=1)]

    def _predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        return self.fitted_.predict_proba(_series(X), self.threads)


def _series(X: Any) -> list[npt.NDArray[np.float64]]:
    """Series (n_channels, n_timepoints_i) from an array (n_cases, n_channels, n_timepoints) or frames with time as rows."""
    if isinstance(X, np.ndarray):
        return list(X.astype(np.float64))
    return [np.ascontiguousarray(frame.to_numpy(dtype=np.float64).T) for frame in X]


@documented(MethodParameters)
class MethodClassifier(MethodParameters, _Classifier):
    """Any method of the benchmark on any backbone.

    Examples
    --------
    >>> from ssd_cli.estimators.sktime import MethodClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")
    >>> classifier = MethodClassifier(method="swa", backbone="lite[width=4]", epochs=2, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
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
    >>> from ssd_cli.estimators.sktime import SSDClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")
    >>> classifier = SSDClassifier(backbone="lite[width=4]", epochs=2, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
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
    >>> from ssd_cli.estimators.sktime import InceptionTimeClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")
    >>> classifier = InceptionTimeClassifier(n_classifiers=2, width=4, epochs=1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [{"n_classifiers": 1, "width": 2, "kernel": 8, **_SMALL}, {"n_classifiers": 2, "width": 2, "kernel": 4, **_SMALL}]


@documented(LITETimeParameters)
class LITETimeClassifier(LITETimeParameters, _Classifier):
    """LITETime: the mean of five LITE networks, forty times smaller than InceptionTime's (Ismail-Fawaz et al. 2023).

    Examples
    --------
    >>> from ssd_cli.estimators.sktime import LITETimeClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")
    >>> classifier = LITETimeClassifier(n_classifiers=2, width=4, epochs=1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [{"n_classifiers": 1, "width": 2, "kernel": 8, **_SMALL}, {"n_classifiers": 2, "width": 2, "kernel": 4, **_SMALL}]


@documented(ResNetParameters)
class ResNetClassifier(ResNetParameters, _Classifier):
    """ResNet for time series (Wang et al. 2017).

    Examples
    --------
    >>> from ssd_cli.estimators.sktime import ResNetClassifier
    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")
    >>> classifier = ResNetClassifier(width=4, epochs=1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for the library's checks."""
        return [{"width": 2, **_SMALL}, {"width": 2, "scale": "train", **_SMALL}]
