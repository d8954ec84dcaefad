"""What the estimators of both libraries share: training from series and class indices to a fitted predictor."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_random_state

from ssd_cli.archives.custom import swapped_axes
from ssd_cli.archives.dataset import Series
from ssd_cli.archives.prepare import FittedPreparation, Preparation
from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import Backbone
from ssd_cli.configuration import as_dict, configure, parse_label
from ssd_cli.core.cell_spec import CellSpec, NamedConfiguration
from ssd_cli.core.options import require_choice
from ssd_cli.engine.planner import plan
from ssd_cli.errors import SsdBenchError
from ssd_cli.hardware import devices
from ssd_cli.methods import methods
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.budget import fill_in
from ssd_cli.protocol.containers import Ints, TrainingSet
from ssd_cli.registry import Registry
from ssd_cli.training import recipes
from ssd_cli.training.build import build_workbench
from ssd_cli.training.predict import freeze, using_threads


@dataclass(frozen=True)
class Settings:
    """What every estimator has besides its method; see `estimators.parameters.Parameters`."""

    backbone: str
    recipe: str
    epochs: int | None
    length: str
    impute: str
    scale: str
    dataset: str
    resample: int
    device: str
    threads: int


@dataclass(eq=False)
class Fitted:
    """A predictor with its preparation; pickles hold its networks on the CPU, for any device of the training."""

    preparation: FittedPreparation
    predictor: Predictor
    n_channels: int
    """Channels of a series before the preparation."""

    def predict_proba(self, X: Sequence[Series], threads: int) -> npt.NDArray[np.float64]:
        """Return class probabilities (n_cases, n_classes) of series of shapes (n_channels, n_timepoints_i).

        Raises ValueError if they have other channels than the training series, or values too large for 32-bit numbers.
        """
        expected, found = self.n_channels, {series.shape[0] for series in X}
        if found != {expected}:
            came = " and ".join(map(str, sorted(found)))
            raise ValueError(f"The classifier was trained on series of {expected} channels; these have {came}.")
        with _threads(threads):
            return self.predictor.predict_proba(_prepared(self.preparation, X))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a pickle; networks on the CPU are not copied, because aeon compares states by identity."""
        networks = self.predictor.networks
        if all(parameter.device.type == "cpu" for network in networks for parameter in network.parameters()):
            return self.__dict__
        predictor = copy.copy(self.predictor)
        predictor.networks = [copy.deepcopy(network).cpu() for network in networks]
        return {**self.__dict__, "predictor": predictor}


def fit(X: Sequence[Series], y: Ints, n_classes: int, method: Method | str, settings: Settings, random_state: Any) -> Fitted:
    """Prepare series (n_channels, n_timepoints_i) with class indices, and train exactly as ``ssd-bench run`` does.

    The method is configured, or a label. A `random_state` that is an int is the seed of ``ssd-bench run``. Raises ValueError if a
    name or parameter is unknown, or the method cannot be used on these data.
    """
    try:
        chosen = _configured(methods, method)[1] if isinstance(method, str) else method
        name, backbone = _configured(backbones, settings.backbone)
        preparation = Preparation(settings.length, settings.impute, settings.scale).fit(X)
        training_set = TrainingSet(_prepared(preparation, X), y, n_classes, settings.dataset, settings.resample)
        longest = max(series.shape[1] for series in X)
        if text := swapped_axes(settings.dataset, X[0].shape[0], longest):
            warnings.warn(text, stacklevel=4)
        predictor = _train(chosen, name, backbone, training_set, longest, settings, _seed(random_state))
    except SsdBenchError as error:
        raise ValueError(str(error)) from error
    return Fitted(preparation, predictor, X[0].shape[0])


def _train(
    method: Method, name: str, backbone: Backbone, training_set: TrainingSet, longest: int, settings: Settings, seed: int
) -> Predictor:
    """Fit a method in the execution that ``ssd-bench run`` chooses for `longest`, the length of the longest unprepared series."""
    reason = method.skip(training_set, backbone)
    if reason:
        raise ValueError(reason)
    available = devices()
    require_choice("device", settings.device, ["auto", *available])
    device = available[0] if settings.device == "auto" else settings.device
    recipe_name, chosen = _configured(recipes, settings.recipe)
    recipe = fill_in(chosen if settings.epochs is None else replace(chosen, epochs=settings.epochs), backbone, method)
    with _threads(settings.threads), torch.random.fork_rng(devices=range(torch.cuda.device_count() if device == "cuda" else 0)):
        network = backbone.build(training_set.n_channels, 2)
        spec = CellSpec(
            dataset=training_set.dataset,
            dataset_digest="",
            preparation={},
            method=NamedConfiguration(type(method).__name__, as_dict(method)),
            backbone=NamedConfiguration(name, as_dict(backbone), backbones.entry(name).plugin_sha256),
            recipe=NamedConfiguration(recipe_name, recipe.identity()),
            resample=training_set.resample,
            seed=seed,
            device=device,
            execution=plan(network, longest, device=device, precision=recipe.precision).label,
        )
        predictor = method.fit(training_set, build_workbench(spec, training_set))
    for network in predictor.networks:
        freeze(network)
    predictor.teacher = None
    return predictor


def _threads(threads: int) -> AbstractContextManager[None]:
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return using_threads(threads)


def _configured(registry: Registry[Any], label: str) -> tuple[str, Any]:
    name, parameters = parse_label(label)
    return name, configure(registry.get(name), name, parameters)


def _prepared(preparation: FittedPreparation, X: Sequence[Series]) -> npt.NDArray[np.float32]:
    try:
        return preparation.transform(X)
    except SsdBenchError as error:
        raise ValueError(str(error)) from error


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
