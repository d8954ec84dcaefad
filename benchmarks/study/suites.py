"""Read the suites of the study and their records from the files on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pack
import pandas as pd
import tables
import yaml

HERE = Path(__file__).parent
TITLES = {
    "lite40": "LITE, forty datasets, three resamples",
    "inception10": "Inception, ten datasets, two resamples",
    "resnet10": "ResNet, ten datasets, two resamples",
    "lite_uci_har": "LITE on UCIHAR, three draws of subjects",
    "resnet_uci_har": "ResNet on UCIHAR, three draws of subjects",
    "inception8_published": "Inception, recipe `paper`, five seeds, eight datasets",
    "lite15_mixup": "Longer training and mixup: LITE, fifteen datasets, two resamples",
    "lite15_teacher_free": "One training without a teacher: LITE, fifteen datasets, two resamples",
    "inception15_small": "Inception and a tenth of it: fifteen datasets, two resamples",
    "lite15_small": "LITE and a fifth of it: fifteen datasets, two resamples",
    "lite15_small_long": "LITE and a fifth of it, 500 epochs: fifteen datasets, two resamples",
}


@dataclass(frozen=True)
class Loaded:
    """A suite with its records.

    Parameters
    ----------
    name : str
    suite : dict
        The suite file.
    folder : Path
        Output folder of ``ssd-bench run``.
    frame : DataFrame
        One row a record: dataset, method, resample, seed, status, cpu, loss (last training loss), scores and costs.
    """

    name: str
    suite: dict[str, Any]
    folder: Path
    frame: pd.DataFrame

    @property
    def methods(self) -> list[str]:
        """Methods in the order of the suite file."""
        return list(self.suite["method"])

    @property
    def resamples(self) -> list[int]:
        """Resamples of the suite."""
        return numbers(self.suite["resamples"])

    @property
    def n_results(self) -> int:
        """Results that a method has on a complete dataset."""
        return len(self.resamples) * len(numbers(self.suite["seeds"]))

    def processors(self, methods: list[str]) -> dict[str, set[str]]:
        """Return the processor names of these methods' records by dataset."""
        table = self.frame[self.frame["method"].isin(methods)]
        return {str(dataset): set(group["cpu"]) for dataset, group in table.groupby("dataset")}

    def on_one_processor(self, methods: list[str]) -> set[str]:
        """Return the datasets whose records of these methods come from one kind of processor. Only there, seconds compare."""
        return {dataset for dataset, found in self.processors(methods).items() if len(found) == 1}

    def done(self, methods: list[str], column: str) -> tuple[list[str], np.ndarray]:
        """Return the datasets that all these methods completed, and the means (n_datasets, n_methods) of a column there."""
        table = self.frame[(self.frame["status"] == "ok") & self.frame["method"].isin(methods)]
        counts, means = (
            table.pivot_table(index="dataset", columns="method", values=column, aggfunc=how) for how in ("count", "mean")
        )
        complete = (counts.reindex(columns=methods) == self.n_results).all(axis=1)
        means = means.reindex(columns=methods)[complete]
        return [str(name) for name in means.index], means.to_numpy(dtype=np.float64)


def numbers(text: str) -> list[int]:
    """Return the resamples or seeds that a suite names: "5" means 0 to 4, "0,3" or "3," these."""
    return [int(part) for part in text.split(",") if part] if "," in text else list(range(int(text)))


def load(cells: Path, archives: Path) -> dict[str, Loaded]:
    """Load every suite that has records; unpack its archive where the folder of cells is missing."""
    found = {}
    for name in TITLES:
        folder, archive = cells / name, archives / f"{name}.tar.xz"
        if not any(folder.glob("seed*")) and archive.is_file():
            pack.unpack(archive, folder)
        frame = read(folder)
        if len(frame):
            found[name] = Loaded(name, yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8")), folder, frame)
    return found


def read(folder: Path) -> pd.DataFrame:
    """Read all records of an output folder, in the order of their paths."""
    return pd.DataFrame([_row(json.loads(path.read_bytes())) for path in sorted(folder.glob("seed*/*/Predictions/*/*.json"))])


def _row(record: dict[str, Any]) -> dict[str, Any]:
    cell = {key: record["cell"][key] for key in ("dataset", "method", "resample", "seed")}
    losses = [curve["curve"]["loss"][-1] for curve in record["curves"][:1]]
    numbers = {key: value for key, value in record["costs"].items() if isinstance(value, int | float)}
    provenance = record["provenance"].get("cpu", "")
    return (
        cell | {"status": record["status"], "cpu": provenance, "loss": losses[0] if losses else np.nan} | record["scores"] | numbers
    )


def coverage(loaded: dict[str, Loaded]) -> tables.Table:
    """Return a row for each suite: cells planned, done, skipped, failed, not run."""
    rows = []
    for name, one in loaded.items():
        planned = len(one.suite["dataset"]) * len(one.methods) * one.n_results
        states = [int((one.frame["status"] == state).sum()) for state in ("ok", "skipped", "failed")]
        rows.append([f"`{name}`: {TITLES[name]}", planned, *states, planned - sum(states)])
    return ["suite", "cells planned", "done", "skipped", "failed", "not run"], rows
