"""Prepare raw series as one float32 array: missing values, common length and scale, by rules fitted to the training part only.

The order is fixed: impute, cut or resize, scale, fill up. Filling comes last, so that filled steps never enter a mean or a standard
deviation. Zeros are then the series' own mean under ``scale="series"`` and the training mean under ``"train"``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.catalog import archive_of
from ssd_cli.archives.dataset import Series
from ssd_cli.archives.rules import RULES, imputation_rules, length_rules, scaling_rules
from ssd_cli.archives.rules.imputation import ImputationRule
from ssd_cli.archives.rules.length import LengthRule
from ssd_cli.archives.rules.scaling import ScalingRule
from ssd_cli.errors import SsdBenchError


@dataclass(frozen=True)
class Preparation:
    """Names of rules (unknown: `MisuseError`); an identity records ``dataclasses.asdict`` of it."""

    length: str = "pad"
    impute: str = "linear"
    scale: str = "series"

    def __post_init__(self) -> None:
        for rules in RULES:
            rules.entry(getattr(self, rules.option))

    def fit(self, training: Sequence[Series]) -> FittedPreparation:
        """Learn length, fill values and scale from the training series, each of shape (n_channels, n_timepoints_i)."""
        imputation = imputation_rules.get(self.impute).fit(training)
        length = length_rules.get(self.length).fit(training)
        scaling = scaling_rules.get(self.scale).fit(length.cut(imputation.filled(series)) for series in training)
        return FittedPreparation(self, length, imputation, scaling)


@dataclass(frozen=True, eq=False)
class FittedPreparation:
    """Rules, fitted to the training part."""

    preparation: Preparation
    length: LengthRule
    imputation: ImputationRule
    scaling: ScalingRule

    @property
    def n_timepoints(self) -> int:
        """Length of every prepared series."""
        return self.length.n_timepoints

    @property
    def unequal(self) -> bool:
        """Whether the training series differ in length."""
        return self.length.unequal

    def transform(self, X: Sequence[Series]) -> npt.NDArray[np.float32]:
        """Prepare series of shapes (n_channels, n_timepoints_i): float32 of shape (n_cases, n_channels, n_timepoints).

        ``impute="mask"`` adds channels; NaN marks the steps after a series' end under ``length="pad"``; SsdBenchError beyond 32
        bits.
        """
        n_channels = len(self.imputation.fill)
        prepared = np.zeros((len(X), n_channels + self.imputation.n_added, self.n_timepoints), dtype=np.float32)
        ends = np.empty(len(X), dtype=np.int64)
        with np.errstate(over="ignore", invalid="ignore"):
            for case, series in enumerate(X):
                scaled = self.scaling.apply(self.length.cut(self.imputation.filled(series)))
                ends[case] = end = scaled.shape[1]
                prepared[case, :n_channels, :end] = scaled
                prepared[case, n_channels:, :end] = self.length.cut(self.imputation.added(series)) if self.imputation.n_added else 0
                if self.unequal and self.length.fills and end < self.n_timepoints:
                    self.length.fill(prepared[case, :n_channels], end)
        if not np.isfinite(prepared).all():
            if any(np.isinf(series).any() for series in X):
                raise SsdBenchError("A series holds an infinite value.", "Expected numbers, or NaN where one is missing.")
            raise SsdBenchError(
                "The prepared series hold values beyond the range of 32-bit numbers.",
                f"The preparation was scale={self.preparation.scale}.",
                "Scale the series (series or train).",
            )
        if self.unequal and self.length.marks:
            prepared.swapaxes(1, 2)[np.arange(self.n_timepoints) >= ends[:, None]] = np.nan
        return prepared

    def check_exported(self) -> None:
        """Raise SsdBenchError if a rule cannot be part of an exported model."""
        fitted: tuple[Any, ...] = (self.length, self.imputation, self.scaling)
        for rules, rule in zip(RULES, fitted, strict=True):
            if not rule.exported:
                known = [name for name in rules.names() if rules.get(name).exported]
                raise SsdBenchError(
                    f"{rules.option}={getattr(self.preparation, rules.option)} cannot be exported.",
                    f"Expected one of {', '.join(known)}.",
                    "Run the cell again with another rule, into another folder.",
                )


def default_preparation(name: str) -> Preparation:
    """Return the default rules of a dataset: ``scale="train"`` for the har archive, ``scale="series"`` for all others.

    In human activity recognition level and amplitude carry the class (gravity: sitting or lying). Most problems of the UCR archive
    are published z-normalised per series; the rule makes the seven of 2018 that are not (such as BME) like the others, as the
    published results of these networks had them (hfawaz/dl-4-tsc). The har problems of UEA keep UEA's rule, under which they are
    published.
    """
    return Preparation(scale="train") if archive_of(name) == "har" else Preparation()
