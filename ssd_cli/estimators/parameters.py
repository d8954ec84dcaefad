"""The constructors of the estimators, which both libraries share: what a user can set, and which method it means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from ssd_cli.estimators.core import Settings
from ssd_cli.methods.base import IdleParameterError, Method
from ssd_cli.methods.ens_avg import EnsAvg
from ssd_cli.methods.single import Single
from ssd_cli.methods.ssd import SSD

C = TypeVar("C", bound=type)

SHARED = """    recipe : str, default="fast"
        How networks are trained: ``fast`` (100 epochs), ``paper`` (1500), or either with changes, ``fast[learning_rate=0.01]``.
    epochs : int, optional
        Replaces the recipe's.
    length : {"pad", "zeros", "edge", "noise", "truncate", "resize"}, default="pad"
        What happens to series of other lengths than the longest of the training.
    impute : {"linear", "mean", "forward", "mask"}, default="linear"
        What happens to missing values.
    scale : {"series", "train", "none"}, default="series"
        Normalise every channel of every series, or every channel by the training set, or not at all.
    dataset, resample : str, int, default="", 0
        Random streams are derived from both, as ``ssd-bench run`` derives them from the names in the archive: with the same two,
        the same labels (texts), the same preparation (of ``har`` the command's is scale="train") and the same seed, the
        probabilities are the same.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
    random_state : int, RandomState or None, default=None
        An int is the seed of ``ssd-bench run``.
    threads : int, default=1
        Of torch. Another number gives other rounding.
"""


class Parameters:
    """What all constructors share. Every argument is stored as it came; nothing is checked before `fit`."""

    threads: int
    random_state: Any

    def _store(self, arguments: dict[str, Any]) -> None:
        """Store the arguments of a constructor, its ``locals()``, under their names."""
        for name, value in arguments.items():
            if name not in ("self", "__class__"):  # the second is there for `super`
                setattr(self, name, value)

    def _method(self) -> Method | str:
        raise NotImplementedError

    def _settings(self) -> Settings:
        return Settings(**self._plain(field.name for field in dataclasses.fields(Settings)))

    def _plain(self, names: Iterable[str]) -> dict[str, Any]:
        """Parameters by name; numbers of numpy, of which the grids of a search are made, as Python's."""
        values = {name: getattr(self, name) for name in names}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


def documented(parameters: type) -> Callable[[C], C]:
    """Class decorator: put the documentation of the parameters in front of the examples."""

    def decorate(cls: C) -> C:
        assert cls.__doc__ is not None and parameters.__doc__ is not None
        summary, marker, examples = cls.__doc__.partition("    Examples\n")
        own = parameters.__doc__.partition("    Parameters\n    ----------\n")[2].rstrip(" ")
        cls.__doc__ = f"{summary}    Parameters\n    ----------\n{own}{SHARED}\n{marker}{examples}"
        return cls

    return decorate


class MethodParameters(Parameters):
    """Any method on any backbone.

    Parameters
    ----------
    method : str, default="single"
        As ``ssd-bench ls methods`` lists them, or with changes: ``swa``, ``ens-avg[members=3]``.
    backbone : str, default="inception"
        Architecture, as ``ssd-bench ls backbones`` lists them, or with changes, ``lite[width=16]``.
    """

    method: str

    def __init__(
        self,
        method: str = "single",
        backbone: str = "inception",
        recipe: str = "fast",
        epochs: int | None = None,
        length: str = "pad",
        impute: str = "linear",
        scale: str = "series",
        dataset: str = "",
        resample: int = 0,
        device: str = "auto",
        random_state: Any = None,
        threads: int = 1,
    ) -> None:
        self._store(locals())
        super().__init__()

    def _method(self) -> Method | str:
        return self.method


class SSDParameters(Parameters):
    """Stochastic self-distillation.

    Parameters
    ----------
    representations : int, default=30
        Stochastic passes of the teacher.
    dropout : float, default=0.2
        Rate on the pooled embedding, of teacher and student.
    temperature : float, default=5.0
        Of the softmax over the similarities.
    quantile : float, default=0.9
        Representations below this quantile of the similarity are dropped.
    distillation_weight : float, default=0.5
        Weight of the distillation; the cross-entropy has the rest.
    student_epochs : int, optional
        Epochs of the student; None: a quarter of the teacher's (100 under the recipe ``paper``).
    backbone : str, default="inception"
        Architecture, as ``ssd-bench ls backbones`` lists them, or with changes, ``lite[width=16]``.
    """

    def __init__(
        self,
        representations: int = 30,
        dropout: float = 0.2,
        temperature: float = 5.0,
        quantile: float = 0.9,
        distillation_weight: float = 0.5,
        student_epochs: int | None = None,
        backbone: str = "inception",
        recipe: str = "fast",
        epochs: int | None = None,
        length: str = "pad",
        impute: str = "linear",
        scale: str = "series",
        dataset: str = "",
        resample: int = 0,
        device: str = "auto",
        random_state: Any = None,
        threads: int = 1,
    ) -> None:
        self._store(locals())
        super().__init__()

    def _method(self) -> Method | str:
        own = ("representations", "dropout", "temperature", "quantile", "distillation_weight", "student_epochs")
        values = self._plain(own)
        while True:
            try:
                return SSD(**values)
            except IdleParameterError as error:  # a label leaves it out; a grid cannot
                del values[error.parameter]


class InceptionTimeParameters(Parameters):
    """InceptionTime: an ensemble of networks that differ in their initialisation.

    Parameters
    ----------
    n_classifiers : int, default=5
        Networks; their probabilities are averaged.
    width : int, default=32
        Filters of each branch of a module.
    kernel : int, default=40
        Taps of the longest convolution.
    """

    n_classifiers: int
    width: int
    kernel: int

    def __init__(
        self,
        n_classifiers: int = 5,
        width: int = 32,
        kernel: int = 40,
        recipe: str = "fast",
        epochs: int | None = None,
        length: str = "pad",
        impute: str = "linear",
        scale: str = "series",
        dataset: str = "",
        resample: int = 0,
        device: str = "auto",
        random_state: Any = None,
        threads: int = 1,
    ) -> None:
        self._store(locals())
        super().__init__()

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"inception[width={self.width},kernel={self.kernel}]"

    def _method(self) -> Method | str:
        return EnsAvg(members=self._plain(["n_classifiers"])["n_classifiers"])


class LITETimeParameters(InceptionTimeParameters):
    """LITETime: an ensemble of networks that differ in their initialisation.

    Parameters
    ----------
    n_classifiers : int, default=5
        Networks; their probabilities are averaged.
    width : int, default=32
        Filters of every convolution.
    kernel : int, default=40
        Taps of the longest convolution.
    """

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"lite[width={self.width},kernel={self.kernel}]"


class ResNetParameters(Parameters):
    """ResNet: one residual network.

    Parameters
    ----------
    width : int, default=64
        Filters of the first block; the others have twice as many.
    """

    width: int

    def __init__(
        self,
        width: int = 64,
        recipe: str = "fast",
        epochs: int | None = None,
        length: str = "pad",
        impute: str = "linear",
        scale: str = "series",
        dataset: str = "",
        resample: int = 0,
        device: str = "auto",
        random_state: Any = None,
        threads: int = 1,
    ) -> None:
        self._store(locals())
        super().__init__()

    @property
    def backbone(self) -> str:
        """The architecture."""
        return f"resnet[width={self.width}]"

    def _method(self) -> Method | str:
        return Single()
