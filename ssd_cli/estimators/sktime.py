"""Classifiers for sktime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sktime.classification.base import BaseClassifier

from ssd_cli.estimators import parameters

__all__ = ["InceptionTimeClassifier", "LITETimeClassifier", "MethodClassifier", "ResNetClassifier", "SSDClassifier"]


class _Classifier(parameters.Parameters, BaseClassifier):
    """The interface of sktime's classifiers."""

    _module = "ssd_cli.estimators.sktime"
    _data = """    >>> from sktime.datasets import load_unit_test
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")"""
    _shape = "(20, 2)"
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

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return arguments for the library's checks."""
        return cls._get_test_params()

    @staticmethod
    def _series(X: Any) -> list[npt.NDArray[np.float64]]:
        """Return series (n_channels, n_timepoints_i). Arrays are (n_cases, n_channels, n_timepoints); frames have time as rows."""
        if isinstance(X, np.ndarray):
            return list(X.astype(np.float64))
        return [np.ascontiguousarray(frame.to_numpy(dtype=np.float64).T) for frame in X]


class MethodClassifier(parameters.MethodParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class SSDClassifier(parameters.SSDParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class InceptionTimeClassifier(parameters.InceptionTimeParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class LITETimeClassifier(parameters.LITETimeParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it


class ResNetClassifier(parameters.ResNetParameters, _Classifier): ...  # noqa: D101 - `Parameters` documents it
