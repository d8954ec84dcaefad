"""The constructors of the estimators, which both libraries share: what a user can set, and which method it means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ssd_cli.estimators.core import Settings
from ssd_cli.methods.base import IdleParameterError, Method
from ssd_cli.methods.ens_avg import EnsAvg
from ssd_cli.methods.single import Single
from ssd_cli.methods.ssd import SSD

C = TypeVar("C", bound=type)
_HEADING = "    Parameters\n    ----------\n"


def documented(parameters: type) -> Callable[[C], C]:
    """Class decorator: insert the documentation of the parameters before the examples."""

    def decorate(cls: C) -> C:
        summary, marker, examples = (cls.__doc__ or "").partition("    Examples\n")
        own, shared = ((one.__doc__ or "").partition(_HEADING)[2].rstrip(" ") for one in (parameters, Parameters))
        cls.__doc__ = f"{summary}{_HEADING}{own}{shared}\n{marker}{examples}"
        return cls

    return decorate


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    """What all constructors share. Every argument is stored unchanged; `fit` checks the values.

    Parameters
    ----------
    recipe : str, default="fast"
        How networks are trained: ``fast`` (100 epochs), ``paper`` (1500), or either with changes, ``fast[learning_rate=0.01]``.
    epochs : int, optional
        Replaces the recipe's number of epochs.
    length : str, default="pad"
        Rule for series of other lengths than the longest training series: pad, zeros, edge, noise, truncate or resize.
    impute : str, default="linear"
        Rule for missing values: linear, mean, forward or mask.
    scale : str, default="series"
        Normalise every channel of every series ("series"), or every channel by the training set ("train"), or not at all ("none").
    dataset, resample : str, int, default="", 0
        Random streams are derived from both. With the dataset's name in the archive, its labels as text, the same preparation
        (for ``har`` the command uses scale="train") and the same seed, the probabilities equal those of ``ssd-bench run``.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
    random_state : int, RandomState or None, default=None
        An int is the seed of ``ssd-bench run``.
    threads : int, default=1
        Number of threads of torch. Another number gives other rounding.
    """

    recipe: str = "fast"
    epochs: int | None = None
    length: str = "pad"
    impute: str = "linear"
    scale: str = "series"
    dataset: str = ""
    resample: int = 0
    device: str = "auto"
    random_state: Any = None
    threads: int = 1

    def __post_init__(self) -> None:
        super().__init__()

    def _method(self) -> Method | str:
        raise NotImplementedError

    def _settings(self) -> Settings:
        return Settings(**self._plain(field.name for field in dataclasses.fields(Settings)))

    def _plain(self, names: Iterable[str]) -> dict[str, Any]:
        """Return parameters by name, numbers of numpy (as in the grids of a search) as Python's."""
        values = {name: getattr(self, name) for name in names}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


@dataclass(eq=False, repr=False)
class MethodParameters(Parameters):
    """Any method on any backbone.

    Parameters
    ----------
    method : str, default="single"
        As ``ssd-bench ls methods`` lists them, or with changes: ``swa``, ``ens-avg[members=3]``.
    backbone : str, default="inception"
        Architecture, as ``ssd-bench ls backbones`` lists them, or with changes, ``lite[width=16]``.
    """

    method: str = "single"
    backbone: str = "inception"

    def _method(self) -> Method | str:
        return self.method


@dataclass(eq=False, repr=False)
class SSDParameters(Parameters):
    """Stochastic self-distillation.

    Parameters
    ----------
    representations : int, default=30
        Number of stochastic passes of the teacher.
    dropout : float, default=0.2
        Dropout rate on the pooled embedding, of teacher and student.
    temperature : float, default=5.0
        Temperature of the softmax over the similarities.
    quantile : float, default=0.9
        Representations below this quantile of the similarity are dropped.
    distillation_weight : float, default=0.5
        Weight of the distillation loss; the cross-entropy has the rest.
    student_epochs : int, optional
        Epochs of the student; None: a quarter of the teacher's (100 under the recipe ``paper``).
    backbone : str, default="inception"
        Architecture, as ``ssd-bench ls backbones`` lists them, or with changes, ``lite[width=16]``.
    """

    representations: int = 30
    dropout: float = 0.2
    temperature: float = 5.0
    quantile: float = 0.9
    distillation_weight: float = 0.5
    student_epochs: int | None = None
    backbone: str = "inception"

    def _method(self) -> Method | str:
        own = ("representations", "dropout", "temperature", "quantile", "distillation_weight", "student_epochs")
        values = self._plain(own)
        while True:
            try:
                return SSD(**values)
            except IdleParameterError as error:  # a label leaves it out; a grid cannot
                del values[error.parameter]


@dataclass(eq=False, repr=False)
class InceptionTimeParameters(Parameters):
    """InceptionTime: an ensemble of networks that differ in their initialisation.

    Parameters
    ----------
    n_classifiers : int, default=5
        Number of networks; their probabilities are averaged.
    width : int, default=32
        Number of filters of each branch of a module.
    kernel : int, default=40
        Length of the longest convolution kernel.
    """

    n_classifiers: int = 5
    width: int = 32
    kernel: int = 40

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"inception[width={self.width},kernel={self.kernel}]"

    def _method(self) -> Method | str:
        return EnsAvg(members=self._plain(["n_classifiers"])["n_classifiers"])


@dataclass(eq=False, repr=False)
class LITETimeParameters(InceptionTimeParameters):
    """LITETime: an ensemble of networks that differ in their initialisation.

    Parameters
    ----------
    n_classifiers : int, default=5
        Number of networks; their probabilities are averaged.
    width : int, default=32
        Number of filters of every convolution.
    kernel : int, default=40
        Length of the longest convolution kernel.
    """

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"lite[width={self.width},kernel={self.kernel}]"


@dataclass(eq=False, repr=False)
class ResNetParameters(Parameters):
    """ResNet: one residual network.

    Parameters
    ----------
    width : int, default=64
        Number of filters of the first block; the others have twice as many.
    """

    width: int = 64

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"resnet[width={self.width}]"

    def _method(self) -> Method | str:
        return Single()
