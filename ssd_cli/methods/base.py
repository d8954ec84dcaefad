"""What a method is, and what it leaves behind."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ssd_cli.configuration import require  # noqa: F401 - methods and plug-ins import it from here
from ssd_cli.protocol.containers import Floats, TrainingSet
from ssd_cli.training.predict import predict_proba

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Network
    from ssd_cli.training.workbench import Workbench

Probabilities = npt.NDArray[np.float64]


@dataclass
class Predictor:
    """Frozen networks and the rule that joins them: all that is evaluated, stored and deployed.

    Parameters
    ----------
    networks : list of Network
        What must be stored and deployed; the mean of their softmax probabilities is the prediction.
    teacher : Network, optional
        The network that taught the deployed one; only its accuracy and agreement are reported.
    diagnostics : dict
        Plain values the method wants on the record.
    costs : dict
        Figures that replace those that are measured, for a predictor without networks: None where nothing can be counted.
    """

    networks: list[Network]
    teacher: Network | None = None
    diagnostics: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)

    def combine(self, members: Probabilities) -> Probabilities:
        """Join the members' probabilities (n_networks, n_cases, n_classes) into (n_cases, n_classes): their mean."""
        return members.mean(axis=0)

    def member_probabilities(self, X: Floats) -> Probabilities:
        """Softmax probabilities of every network, shape (n_networks, n_cases, n_classes)."""
        return np.stack([predict_proba(network, X) for network in self.networks])

    def predict_proba(self, X: Floats) -> Probabilities:
        """Class probabilities, shape (n_cases, n_classes), for X (n_cases, n_channels, n_timepoints)."""
        return self.combine(self.member_probabilities(X))


@dataclass(frozen=True)
class Method(ABC):
    """A frozen set of hyper-parameters that turns a training set into a predictor."""

    @abstractmethod
    def fit(self, training_set: TrainingSet, workbench: Workbench) -> Predictor:
        """Train.

        Parameters
        ----------
        training_set : TrainingSet
            All that a method may know of the dataset.
        workbench : Workbench
            Makes, copies and trains networks, shares them between methods, and books what each cost.
        """

    @property
    def uses_backbone(self) -> bool:
        """Whether the backbone decides anything: a classifier of another library has none."""
        return True

    def versions(self) -> dict[str, str]:
        """Versions of other libraries that decide the numbers; part of the identity where there are any."""
        return {}

    def skip(self, training_set: TrainingSet) -> str | None:
        """The reason why the method cannot be used on this training set, or None."""
        return None


class IdleParameterError(ValueError):
    """A parameter was changed that has no effect under the others."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"{parameter} has no effect under the other parameters: leave it out")
        self.parameter = parameter


def refuse_idle(method: Method, in_use: Mapping[str, bool]) -> None:
    """Refuse parameters that were changed although the others leave them without effect.

    Otherwise an ablation could compare a method with itself under two labels.

    Parameters
    ----------
    method : Method
    in_use : mapping of str to bool
        Whether each of these parameters has an effect.

    Raises
    ------
    IdleParameterError
    """
    defaults = {parameter.name: parameter.default for parameter in dataclasses.fields(method)}
    for name, used in in_use.items():
        if not used and getattr(method, name) != defaults[name]:
            raise IdleParameterError(name)
