"""Contexts of the cells of other resamples and seeds, whose networks are trained jointly with those of a cell."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssd_cli.errors import SsdBenchError
from ssd_cli.training.build import build_context

if TYPE_CHECKING:
    from ssd_cli.archives.dataset import Dataset
    from ssd_cli.core.cell_spec import CellSpec
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.context import TrainingContext


def other_contexts(spec: CellSpec, dataset: Dataset, training_set: TrainingSet, options: dict[str, Any]) -> list[TrainingContext]:
    """Build the contexts of the cells that are trained jointly with a cell, whose own training set and options are given."""
    if spec.together is None:
        return []
    parts = {k: _training_set(dataset, k, spec) for k in spec.together.resamples} | {spec.resample: training_set}
    pairs = itertools.product(spec.together.resamples, spec.together.seeds)
    return [
        build_context(replace(spec, resample=k, seed=seed), part, **options)
        for k, seed in pairs
        if (k, seed) != (spec.resample, spec.seed) and (part := parts[k]) is not None
    ]


def _training_set(dataset: Dataset, resample: int, spec: CellSpec) -> TrainingSet | None:
    """Return the training set of a resample; None where it cannot be drawn: the records of its own cells say why."""
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.protocol.split import split

    try:
        return split(dataset, resample, Preparation(**spec.preparation))[0]
    except SsdBenchError:
        return None
