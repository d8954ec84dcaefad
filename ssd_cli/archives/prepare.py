"""Prepare raw series as one float32 array: missing values, common length and scale, by rules fitted to the training part only.

The order is fixed: impute, cut or resize, scale, pad. Padding is last, so that padded steps never enter a mean or a standard
deviation. A padded zero then equals the mean of the series under ``scale="series"``, and the training mean under ``"train"``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.catalog import archive_of
from ssd_cli.archives.dataset import Series
from ssd_cli.archives.rules import RULES, imputation_rules, length_rules, scaling_rules
from ssd_cli.archives.rules.imputation import ImputationRule
from ssd_cli.archives.rules.length import LengthRule
from ssd_cli.archives.rules.scaling import ScalingError, ScalingRule
from ssd_cli.errors import MisuseError, SsdBenchError

_numbered = "case {}".format
"""The name of a case in errors, unless the caller has a better one than its position."""


@dataclass(frozen=True)
class Preparation:
    """Names of the three rules; an unknown name raises a `MisuseError`. `label_noise` is the share of training labels replaced."""

    length: str = "pad"
    impute: str = "linear"
    scale: str = "series"
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for rules in RULES:
            rules.entry(getattr(self, rules.option))
        if not 0 <= self.label_noise < 1:
            raise MisuseError(f"label_noise cannot be {self.label_noise}.", "Expected a share of at least 0 and below 1.")

    def identity(self) -> dict[str, Any]:
        """Return what an identity records; label noise only where there is any, since older records lack it."""
        return {name: value for name, value in vars(self).items() if name != "label_noise" or value}

    def fit(self, training: Sequence[Series], named: Callable[[int], str] = _numbered) -> FittedPreparation:
        """Learn length, fill values and scale from the training series, each of shape (n_channels, n_timepoints_i).

        Raises SsdBenchError, which names a case by `named`, if the values are too large or too small for the scale.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            imputation = imputation_rules.get(self.impute).fit(training)
            length = length_rules.get(self.length).fit(training)
            try:
                scaling = scaling_rules.get(self.scale).fit(length.cut(imputation.filled(series)) for series in training)
            except ScalingError as error:
                raise _unscaled(error, self.scale, "the training part" if error.case is None else named(error.case)) from error
        return FittedPreparation(self, length, imputation, scaling)


@dataclass(frozen=True, eq=False)
class FittedPreparation:
    """The three rules, fitted to the training part."""

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

    def transform(self, X: Sequence[Series], named: Callable[[int], str] = _numbered) -> npt.NDArray[np.float32]:
        """Prepare series of shapes (n_channels, n_timepoints_i) as float32 of shape (n_cases, n_channels, n_timepoints).

        ``impute="mask"`` adds channels. Under ``length="pad"`` NaN marks the steps after a series' end. Raises SsdBenchError, which
        names a case by `named`, if its values are too large or too small for the scale or for 32 bits.
        """
        n_channels = len(self.imputation.fill)
        prepared = np.zeros((len(X), n_channels + self.imputation.n_added, self.n_timepoints), dtype=np.float32)
        ends = np.empty(len(X), dtype=np.int64)
        with np.errstate(over="ignore", invalid="ignore"):
            for case, series in enumerate(X):
                try:
                    scaled = self.scaling.apply(self.length.cut(self.imputation.filled(series)))
                except ScalingError as error:
                    raise _unscaled(error, self.preparation.scale, named(case)) from error
                ends[case] = end = scaled.shape[1]
                prepared[case, :n_channels, :end] = scaled
                prepared[case, n_channels:, :end] = self.length.cut(self.imputation.added(series)) if self.imputation.n_added else 0
                if self.unequal and self.length.fills and end < self.n_timepoints:
                    self.length.fill(prepared[case, :n_channels], end)
        for case, channel in np.argwhere(~np.isfinite(prepared).all(axis=2))[:1].tolist():
            what = f"values up to {np.nanmax(np.abs(X[case][channel])):g} are beyond the range of 32-bit numbers after scaling"
            raise _unscaled(ScalingError(what, channel), self.preparation.scale, named(case))
        if self.unequal and self.length.marks:
            prepared.swapaxes(1, 2)[np.arange(self.n_timepoints) >= ends[:, None]] = np.nan
        return prepared

    def check_exportable(self) -> None:
        """Raise SsdBenchError if a rule cannot be part of an exported model."""
        fitted: tuple[Any, ...] = (self.length, self.imputation, self.scaling)
        for rules, rule in zip(RULES, fitted, strict=True):
            if not rule.exported:
                known = [name for name in rules.names() if rules.get(name).exported]
                raise SsdBenchError(
                    f"{rules.option}={getattr(self.preparation, rules.option)} cannot be exported.",
                    f"Expected one of {', '.join(known)}.",
                    f"Run the cell again with --{rules.option} {known[0]} and another --out, then export it from there.",
                )


def _unscaled(error: ScalingError, scale: str, where: str) -> SsdBenchError:
    return SsdBenchError(
        f"{where[0].upper()}{where[1:]}, channel {error.channel + 1}: {error.what} (scale={scale}).",
        "Expected measured values; a value near the largest or smallest 64-bit number often stands for a missing one.",
        "Write NaN or ? where a value is missing, or give the values in another unit.",
    )


def default_preparation(name: str) -> Preparation:
    """Return the default rules of a dataset: ``scale="train"`` for the har archive, ``scale="series"`` for all others.

    In human activity recognition, level and amplitude distinguish classes (gravity: sitting or lying). Most problems of the UCR
    archive are published z-normalised per series. The rule z-normalises the seven of 2018 that are not (such as BME), as the
    published results of these networks did (hfawaz/dl-4-tsc). The har problems of UEA keep the rule of UEA's published results.
    """
    return Preparation(scale="train") if archive_of(name) == "har" else Preparation()
