"""Classifiers of aeon, sktime and scikit-learn as methods, by name; costs that count networks stay empty in their records."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions, version
from typing import Any, ClassVar, Literal

import numpy as np

from ssd_cli.errors import MisuseError, did_you_mean
from ssd_cli.methods.base import Method, Predictor, Probabilities, Workbench
from ssd_cli.protocol.containers import Floats, TrainingSet

DISTRIBUTIONS = {"aeon": "aeon", "sktime": "sktime", "sklearn": "scikit-learn"}
_OURS = ("self", "random_state", "n_jobs")
"""Parameters that the cell's seed and threads determine."""

Plain = int | float | None | bool | str
_COUNTED_OF_NETWORKS = ("networks_trained", "networks_reused", "optimiser_steps", "cases_seen", "networks_stored")


class ExternalPredictor(Predictor):
    """A classifier of another library, fitted on class indices; `features` are those of `inputs_of`."""

    def __init__(self, classifier: Any, n_classes: int, features: str, costs: dict[str, Any]) -> None:
        super().__init__([], costs=costs)
        self._classifier, self._n_classes, self._features = classifier, n_classes, features

    def member_probabilities(self, X: Floats) -> Probabilities:
        """Return the classifier's probabilities (1, n_cases, n_classes); 1 for the predicted class if it has no probabilities."""
        inputs = inputs_of(X, self._features)
        probabilities = np.zeros((len(X), self._n_classes))
        seen = np.asarray(self._classifier.classes_).astype(int)
        if hasattr(self._classifier, "predict_proba"):
            probabilities[:, seen] = np.asarray(self._classifier.predict_proba(inputs), dtype=np.float64)
        else:
            probabilities[np.arange(len(X)), np.asarray(self._classifier.predict(inputs)).astype(int)] = 1.0
        return probabilities[None]


@dataclass(frozen=True)
class ExternalClassifier(Method):
    """A classifier of another library; its parameters are added from its signature."""

    library: ClassVar[str]
    classifier: ClassVar[type]
    uses_backbone = False

    def versions(self) -> dict[str, str]:
        return {self.library: version(DISTRIBUTIONS[self.library])}

    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        import torch

        defaults = _defaults(self.classifier)
        parameters = {name: getattr(self, name) for name in defaults if getattr(self, name) != defaults[name]}
        accepted = inspect.signature(self.classifier).parameters
        if "random_state" in accepted:
            parameters["random_state"] = workbench.sub_seed("contestant") % 2**31
        if "n_jobs" in accepted:
            parameters["n_jobs"] = torch.get_num_threads()
        classifier = self.classifier(**parameters)
        features = getattr(self, "features", "series")
        classifier.fit(inputs_of(training_set.X, features), training_set.y)
        return ExternalPredictor(classifier, training_set.n_classes, features, dict.fromkeys(_COUNTED_OF_NETWORKS))


def inputs_of(X: Floats, features: str) -> np.ndarray:
    """Convert series to the inputs of a classifier.

    Parameters
    ----------
    X : ndarray of float32, shape (n_cases, n_channels, n_timepoints)
        NaN marks padded steps.
    features : {"series", "flat", "summary"}
        Unchanged; all values in a row; or mean, standard deviation, minimum, maximum and quartiles of each channel.
    """
    series = np.nan_to_num(X.astype(np.float64), nan=0.0)
    if features == "series":
        return series
    if features == "flat":
        return series.reshape(len(series), -1)
    parts = [series.mean(-1), series.std(-1), series.min(-1), series.max(-1), *np.quantile(series, (0.25, 0.5, 0.75), axis=-1)]
    return np.concatenate(parts, axis=1)


@cache
def external_class(library: str, name: str) -> type[ExternalClassifier]:
    """Return the method of a classifier; its fields are the parameters of the classifier that have plain default values.

    Raises
    ------
    MisuseError
        There is no such library or classifier, or it needs a package that is not installed.
    """
    if library not in DISTRIBUTIONS:
        raise MisuseError(
            f"Unknown library '{library}' in '{library}:{name}'.{did_you_mean(library, list(DISTRIBUTIONS))}",
            f"Expected one of {', '.join(DISTRIBUTIONS)}.",
        )
    known = _known(library)
    if name not in known:
        unknown = f"{library} has no classifier '{name}'.{did_you_mean(name, list(known))}"
        raise MisuseError(unknown, "", f"See the documentation of {library}.")
    classifier = known[name]
    _check_dependencies(library, name, classifier)
    fields: list[Any] = [(key, Plain, default) for key, default in _defaults(classifier).items()]
    if library == "sklearn":
        fields.append(("features", Literal["flat", "summary"], "flat"))
    namespace = {"library": library, "classifier": classifier, "__module__": __name__}
    made = dataclasses.make_dataclass(name, fields, bases=(ExternalClassifier,), frozen=True, namespace=namespace)
    made.__doc__ = f"{name} of {library}."
    return made


def _defaults(classifier: type) -> dict[str, Any]:
    """Return the parameters with plain default values, without those that the cell determines."""
    parameters = inspect.signature(classifier).parameters.values()
    return {
        item.name: item.default
        for item in parameters
        if item.name not in _OURS and isinstance(item.default, bool | int | float | str | None)
    }


@cache
def _known(library: str) -> dict[str, type]:
    if library == "aeon":
        from aeon.utils.discovery import all_estimators

        return dict(all_estimators(type_filter="classifier"))
    if library == "sktime":
        from sktime.registry import all_estimators as of_sktime

        return {name: classifier for name, classifier, *_ in of_sktime("classifier")}
    of_sklearn = importlib.import_module("sklearn.utils").all_estimators
    return dict(of_sklearn(type_filter="classifier"))


def _check_dependencies(library: str, name: str, classifier: Any) -> None:
    if library == "sklearn":
        return
    tag = classifier.get_class_tag("python_dependencies")
    needed = [tag] if isinstance(tag, str) else list(tag or ())
    packages = [match[0] for text in _flat(needed) if (match := re.match(r"[A-Za-z0-9_.-]+", text))]
    if any(package.lower().startswith(("tensorflow", "keras")) for package in packages):
        raise MisuseError(
            f"{library}:{name} needs TensorFlow, which ssd-bench does not run.",
            "Expected a classifier without it.",
            "Inception, LITE, ResNet and FCN are backbones here: --method single --backbone inception.",
        )
    absent = [package for package in packages if not is_installed(package)]
    if absent:
        message = f"{library}:{name} needs {' and '.join(absent)}, which is not installed."
        raise MisuseError(message, "", f"pip install {' '.join(absent)}")


def _flat(items: list[Any]) -> list[str]:
    return [text for item in items for text in (_flat(list(item)) if isinstance(item, list | tuple) else [item])]


def is_installed(package: str) -> bool:
    """Return whether a distribution package is installed."""
    return any(distributions(name=package))
