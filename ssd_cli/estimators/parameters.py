"""The constructors of the estimators, shared by both libraries: parameters for users, and the methods that they configure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ssd_cli.estimators.core import Settings, fit
from ssd_cli.methods.base import IdleParameterError, Method
from ssd_cli.methods.ensembles import EnsAvg
from ssd_cli.methods.single import Single
from ssd_cli.methods.ssd import SSD

_HEADING = "    Parameters\n    ----------\n"
_EXAMPLE = """
    Examples
    --------
    >>> from {module} import {name}
{data}
    >>> classifier = {name}({arguments}, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    {shape}
    """


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    """The parameters of all constructors. Every argument is stored unchanged; `fit` checks the values.

    Parameters
    ----------
    recipe : str, default="standard"
        How networks are trained: ``standard`` (as many steps as the backbone needs), ``paper`` (1500 epochs), or either with
        changes, ``standard[steps=500]``.
    epochs : int, optional
        Replaces the recipe's number of epochs; of ``standard``, the most.
    length : str, default="pad"
        Rule for series of other lengths than the longest training series: pad, zeros, edge, noise, truncate or resize.
    impute : str, default="linear"
        Rule for missing values: linear, mean, forward or mask.
    scale : str, default="series"
        Normalise each channel of each series ("series"), normalise each channel by the training set ("train"), or neither ("none").
    dataset, resample : str, int, default="", 0
        Random streams are derived from both. With the dataset's name in the archive, its labels as text, the same preparation
        (for ``har`` the command uses scale="train") and the same seed, the probabilities equal those of ``ssd-bench run``.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
    random_state : int, RandomState or None, default=None
        An int is the seed of ``ssd-bench run``.
    threads : int, default=1
        Number of threads of torch. Another number gives other rounding.
    """

    recipe: str = "standard"
    epochs: int | None = None
    length: str = "pad"
    impute: str = "linear"
    scale: str = "series"
    dataset: str = ""
    resample: int = 0
    device: str = "auto"
    random_state: Any = None
    threads: int = 1

    if TYPE_CHECKING:  # attributes of the base classes of both libraries
        classes_: npt.NDArray
        n_classes_: int
        _class_dictionary: dict[Any, int]

    _example: ClassVar[str]
    """Arguments of the example in the documentation."""
    _checked: ClassVar[Sequence[dict[str, Any]]]
    """Arguments for the checks of aeon and sktime, which test that the code runs, not that networks learn."""

    _module: ClassVar[str] = ""
    _data: ClassVar[str]
    _shape: ClassVar[str]
    """For a library: where users import its classes, doctest lines that make X and y, and the shape of the probabilities of X."""

    def __init_subclass__(cls, **details: Any) -> None:
        """Compose the documentation of a library's class from the parameters' and an example on the library's data."""
        super().__init_subclass__(**details)
        if cls._module and not cls.__doc__:
            summary, _, own = (cls.__mro__[1].__doc__ or "").partition(_HEADING)
            shared = (Parameters.__doc__ or "").partition(_HEADING)[2]
            example = _EXAMPLE.format(
                module=cls._module, name=cls.__name__, data=cls._data, arguments=cls._example, shape=cls._shape
            )
            cls.__doc__ = f"{summary}{_HEADING}{own.rstrip(' ')}{shared.rstrip(' ')}{example}"

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        return [{"recipe": "smoke", "epochs": 1, "device": "cpu", **one} for one in cls._checked]

    def _method(self) -> Method | str:
        raise NotImplementedError

    @staticmethod
    def _series(X: Any) -> list[npt.NDArray[np.float64]]:
        """Return series of shapes (n_channels, n_timepoints_i) from what the library passes."""
        raise NotImplementedError

    def _fit(self, X: Any, y: Any) -> Self:
        indices = np.array([self._class_dictionary[label] for label in y], dtype=np.int64)
        settings = Settings(**self._plain(field.name for field in dataclasses.fields(Settings)))
        self.fitted_ = fit(self._series(X), indices, self.n_classes_, self._method(), settings, self.random_state)
        return self

    def _predict(self, X: Any) -> npt.NDArray:
        return self.classes_[self._predict_proba(X).argmax(axis=1)]

    def _predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        return self.fitted_.predict_proba(self._series(X), self.threads)

    def _plain(self, names: Iterable[str]) -> dict[str, Any]:
        """Return parameters by name, numbers of numpy (as in the grids of a search) as Python's."""
        values = {name: getattr(self, name) for name in names}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


@dataclass(eq=False, repr=False)
class MethodParameters(Parameters):
    """Any method of the benchmark on any backbone.

    Parameters
    ----------
    method : str, default="single"
        As ``ssd-bench ls methods`` lists them, or with changes: ``swa``, ``ens-avg[members=3]``.
    backbone : str, default="inception"
        Architecture, as ``ssd-bench ls backbones`` lists them, or with changes, ``lite[width=16]``.
    """

    method: str = "single"
    backbone: str = "inception"

    _example = 'method="swa", backbone="lite[width=4]", epochs=2'
    _checked = ({"method": "single", "backbone": "lite[width=2]"}, {"method": "swa", "backbone": "fcn[width=2]"})

    def _method(self) -> Method | str:
        return self.method


@dataclass(eq=False, repr=False)
class SSDParameters(Parameters):
    """Stochastic self-distillation: one network, taught by its own stochastic representations (Aslam et al. 2025).

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
        Weight of the distillation loss; the cross-entropy has 1 - distillation_weight.
    student_share : float, optional
        Epochs of the student, as a share of the teacher's; None: a quarter (100 epochs under the recipe ``paper``).
    backbone : str, default="inception"
        Architecture, as ``ssd-bench ls backbones`` lists them, or with changes, ``lite[width=16]``.
    """

    representations: int = 30
    dropout: float = 0.2
    temperature: float = 5.0
    quantile: float = 0.9
    distillation_weight: float = 0.5
    student_share: float | None = None
    backbone: str = "inception"

    _example = 'backbone="lite[width=4]", epochs=2'
    _checked = (
        {"representations": 3, "backbone": "lite[width=2]"},
        {"representations": 2, "quantile": 0.0, "backbone": "fcn[width=2]"},
    )

    def _method(self) -> Method | str:
        own = ("representations", "dropout", "temperature", "quantile", "distillation_weight", "student_share")
        values = self._plain(own)
        while True:
            try:
                return SSD(**values)
            except IdleParameterError as error:  # a label can omit the parameter, a grid search cannot
                del values[error.parameter]


@dataclass(eq=False, repr=False)
class InceptionTimeParameters(Parameters):
    """InceptionTime: the mean of five Inception networks (Ismail Fawaz et al. 2020).

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

    _example = "n_classifiers=2, width=4, epochs=1"
    _checked = ({"n_classifiers": 1, "width": 2, "kernel": 8}, {"n_classifiers": 2, "width": 2, "kernel": 4})

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"inception[width={self.width},kernel={self.kernel}]"

    def _method(self) -> Method | str:
        return EnsAvg(members=self._plain(["n_classifiers"])["n_classifiers"])


@dataclass(eq=False, repr=False)
class LITETimeParameters(InceptionTimeParameters):
    """LITETime: the mean of five LITE networks, forty times smaller than InceptionTime's (Ismail-Fawaz et al. 2023).

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
    """ResNet for time series: one residual network (Wang et al. 2017).

    Parameters
    ----------
    width : int, default=64
        Number of filters of the first block; the others have twice as many.
    """

    width: int = 64

    _example = "width=4, epochs=1"
    _checked = ({"width": 2}, {"width": 2, "scale": "train"})

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"resnet[width={self.width}]"

    def _method(self) -> Method | str:
        return Single()
