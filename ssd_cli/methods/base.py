"""The interface of methods, the predictor that a method returns, and the types that a method uses."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from ssd_cli.backbones.base import Backbone, Network
from ssd_cli.configuration import require
from ssd_cli.protocol.containers import Floats, TrainingSet
from ssd_cli.training.predict import predict_proba
from ssd_cli.training.workbench import Workbench

__all__ = ["Backbone", "IdleParameterError", "Method", "Network", "Predictor", "TrainingSet", "Workbench", "refuse_idle", "require"]

Probabilities = npt.NDArray[np.float64]
Combination = Literal["mean", "vote"]

Positive = Annotated[float, "(0, inf)"]
NonNegative = Annotated[float, "[0, inf)"]
Share = Annotated[float, "[0, 1]"]
Rate = Annotated[float, "[0, 1)"]
Count = Annotated[int, "[1, inf)"]

TIE_BREAK = 1e-3
"""Weight of the mean probability relative to one vote: it breaks ties and cannot outweigh a vote."""


@dataclass
class Predictor:
    """Frozen networks and the rule that combines their probabilities, as evaluated, stored and deployed.

    A subclass with another rule can be evaluated, but not exported.

    Parameters
    ----------
    teacher : Network, optional
        Teacher of the deployed network; its accuracy and agreement are reported.
    diagnostics : dict
        Plain values that the record stores.
    costs : dict
        Values that replace the measured costs of a predictor without networks; None where nothing can be counted.
    combination : {"mean", "vote"}
        Mean of the softmax probabilities, or a vote of the networks, in which ties go to the larger mean probability.
    """

    networks: list[Network]
    teacher: Network | None = None
    diagnostics: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    combination: Combination = "mean"

    def combine(self, members: Probabilities) -> Probabilities:
        """Combine the networks' probabilities (n_networks, n_cases, n_classes) into (n_cases, n_classes); rows sum to 1.

        A vote returns (votes + 0.001 mean probability) / (n_networks + 0.001).
        """
        mean: Probabilities = members.mean(axis=0)
        if self.combination == "mean":
            return mean
        votes = np.eye(members.shape[2])[members.argmax(axis=2)].sum(axis=0)
        return (votes + TIE_BREAK * mean) / (len(members) + TIE_BREAK)

    def member_probabilities(self, X: Floats) -> Probabilities:
        """Return the softmax probabilities of each network, shape (n_networks, n_cases, n_classes)."""
        return np.stack([predict_proba(network, X) for network in self.networks])

    def predict_proba(self, X: Floats) -> Probabilities:
        """Return class probabilities (n_cases, n_classes) of X (n_cases, n_channels, n_timepoints)."""
        return self.combine(self.member_probabilities(X))


@dataclass(frozen=True)
class Method(ABC):
    """A frozen set of hyper-parameters that turns a training set into a predictor.

    The type hint of a parameter may name its interval: ``Annotated[float, "[0, 0.5)"]``, or a type such as `Positive`. Other values
    are refused, except None.

    Attributes
    ----------
    uses_backbone : bool
        False for a classifier of another library: its result is the same for every backbone.
    combination : {"mean", "vote"}
        The rule of its predictors, see `Predictor`.
    """

    uses_backbone: ClassVar[bool] = True
    combination: ClassVar[Combination] = "mean"

    def __post_init__(self) -> None:
        for name, interval in _intervals(type(self)).items():
            check_range(name, getattr(self, name), interval)
        self.check_parameters()
        refuse_idle(self, self.parameters_in_use())

    def check_parameters(self) -> None:  # noqa: B027 (most methods have no such conditions)
        """Raise ValueError for values that do not fit together."""

    def parameters_in_use(self) -> dict[str, bool]:
        """Return whether each parameter has an effect, given the others; parameters that always have one may be missing."""
        return {}

    @abstractmethod
    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train networks and return the predictor.

        `fit` also runs on a small stand-in training set and a workbench that records trainings instead of running them, to count
        what the method trains (`ssd_cli.methods.recording`). A method may use no other data than the training set.
        """

    @property
    def fits_labels(self) -> bool:
        """Whether its deployed networks are trained to fit the labels of the training cases.

        Of a method that is not, no record says whether its networks have converged.
        """
        return True

    def versions(self) -> dict[str, str]:
        """Return the versions of other libraries that determine the results; they are part of the identity."""
        return {}

    def skip(self, training_set: TrainingSet, backbone: Backbone) -> str | None:
        """Return the reason why the method cannot be used with this training set and backbone, or None."""
        return None


@cache
def _intervals(cls: type[Method]) -> dict[str, str]:
    """Return the intervals in the type hints of a method's parameters."""
    hints = get_type_hints(cls, include_extras=True)
    kinds = {name: (hint, *get_args(hint)) for name, hint in hints.items()}  # an optional parameter is a union
    return {name: kind.__metadata__[0] for name, found in kinds.items() for kind in found if get_origin(kind) is Annotated}


def check_range(name: str, value: float | None, interval: str) -> None:
    """Raise ValueError if a value lies outside an interval such as "[0, 1)"; None passes."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    words = f"{'above' if interval[0] == '(' else 'at least'} {low:g}"
    words += "" if high == math.inf else f" and {'below' if interval[-1] == ')' else 'at most'} {high:g}"
    if value is not None:
        above, below = value > low or (value == low and interval[0] == "["), value < high or (value == high and interval[-1] == "]")
        require(above and below, f"{name} must be {words}, not {value}")


class IdleParameterError(ValueError):
    """A parameter was changed that has no effect with the other parameters."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"{parameter} has no effect under the other parameters: leave it out")
        self.parameter = parameter


def refuse_idle(method: Method, in_use: Mapping[str, bool]) -> None:
    """Refuse changed parameters that have no effect: an ablation would compare a method with itself under two labels.

    Raises
    ------
    IdleParameterError
        A parameter differs from its default although `in_use` is False for it.
    """
    defaults = {parameter.name: parameter.default for parameter in dataclasses.fields(method)}
    for name, used in in_use.items():
        if not used and getattr(method, name) != defaults[name]:
            raise IdleParameterError(name)
