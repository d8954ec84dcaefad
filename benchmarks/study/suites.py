"""The suites of the study as they were fixed, their cells as far as they are there, and what is missing and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pack
import tables

from ssd_cli.configuration import configure, label, parse_label
from ssd_cli.leaderboard.collect import Cells, collect
from ssd_cli.running.suite import Suite, parse_suite
from ssd_cli.store.results import ResultStore

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
TITLES = {
    "a": "A: LITE, forty datasets, three resamples",
    "b": "B: Inception, ten datasets, two resamples",
    "c": "C: ResNet, ten datasets, two resamples",
    "h_lite": "H: LITE on UCIHAR, three draws of subjects",
    "h_resnet": "H: ResNet on UCIHAR, three draws of subjects",
    "h_resnet_gpu": "H: the same on a GPU, in tf32",
    "g": "G: Inception on a GPU, the archive's split",
    "long": "L: LITE, 500 epochs, the fifteen datasets of A that 100 do not fit",
    "p": "P: recipe `paper`, Inception, five seeds, eight datasets",
    "ablation": "Ablation: LITE, fifteen datasets, two resamples",
    "proposals": "Proposals: LITE, fifteen datasets, two resamples",
    "controls": "Controls of the proposals: LITE, fifteen datasets, two resamples",
    "rivals": "Rivals: LITE, fifteen datasets, two resamples",
    "teacher_free": "Teacher-free: LITE, fifteen datasets, two resamples",
    "equal_one": "Equal compute, that of one training: LITE, fifteen datasets, two resamples",
    "equal_five": "Equal compute, that of five trainings: LITE, fifteen datasets, two resamples",
    "small_inception": "One small network: Inception and a tenth of it, fifteen datasets, two resamples",
    "small_lite": "One small network: LITE and a fifth of it, fifteen datasets, two resamples",
    "small_lite_long": "One small network: LITE and a fifth of it, 500 epochs, fifteen datasets, two resamples",
}
WHOLE = ("g",)
"""Suites whose protocol has it that a dataset counts where all methods are there."""


@dataclass(frozen=True)
class Loaded:
    """A suite, and its cells where there are any.

    Parameters
    ----------
    name : str
    suite : Suite
    methods : list of str
        Labels as the records have them, in the order of the suite.
    folder : Path
    cells : Cells or None
    """

    name: str
    suite: Suite
    methods: list[str]
    folder: Path
    cells: Cells | None

    @property
    def frame(self) -> pd.DataFrame:
        """One row a cell."""
        assert self.cells is not None
        return self.cells.frame

    def processors(self) -> dict[tuple[str, str], set[str]]:
        """Names of the processors that computed the cells of a dataset and method."""
        names: dict[tuple[str, str], set[str]] = {}
        for record in ResultStore(self.folder).records():
            names.setdefault((record.cell.dataset, record.cell.method), set()).add(record.provenance.get("cpu", ""))
        return names

    def on_one_processor(self, methods: list[str]) -> set[str]:
        """Datasets where all cells of these methods were computed on processors of one name: only there do seconds compare."""
        names: dict[str, set[str]] = {}
        for (dataset, method), found in self.processors().items():
            if method in methods:
                names.setdefault(dataset, set()).update(found)
        return {dataset for dataset, found in names.items() if len(found) == 1}

    def finished(self) -> list[str]:
        """Methods that have all their results on a dataset; others cannot stand in a table of complete datasets."""
        return [method for method in self.methods if self.done([method], "accuracy")[0]]

    def done(self, methods: list[str], column: str) -> tuple[list[str], np.ndarray]:
        """Datasets on which all these methods have all their results, and means (n_datasets, n_methods) of a column there."""
        table, n_results = self.frame, len(self.suite.resamples) * len(self.suite.seeds)
        needed = list(dict.fromkeys([*methods, *(self.methods if self.name in WHOLE else ())]))
        table = table[(table["status"] == "ok") & table["method"].isin(needed)]
        counts, means = (
            table.pivot_table(index="dataset", columns="method", values=column, aggfunc=how) for how in ("count", "mean")
        )
        complete = (counts.reindex(columns=needed) == n_results).all(axis=1)
        means = means.reindex(columns=methods)
        return [str(name) for name in means.index[complete]], means[complete].to_numpy(dtype=np.float64)


def load(cells: Path, archives: Path) -> dict[str, Loaded]:
    """Every suite of the study; a suite without a folder of cells is unpacked from its archive, where there is one."""
    found = {}
    for name in TITLES:
        suite = parse_suite(HERE / f"{name}.yaml", {})
        folder, archive = cells / name, archives / f"{name}.tar.xz"
        if not any(folder.glob("seed*")) and archive.is_file():
            pack.unpack(archive, folder)
        there = any(folder.glob("seed*/*/Predictions/*/*.json"))
        found[name] = Loaded(name, suite, canonical(suite), folder, collect([folder]) if there else None)
    return found


def canonical(suite: Suite) -> list[str]:
    """Labels of the suite's methods as records have them: parameters in the order of their declaration."""
    from ssd_cli.methods.registry import methods
    from ssd_cli.running.worker import add_plugins

    if suite.plugin:
        add_plugins(tuple(HERE.parents[1] / path for path in suite.plugin))
    parsed = [parse_label(text) for text in suite.method]
    return list(dict.fromkeys(label(name, configure(methods.get(name), name, parts)) for name, parts in parsed))


def coverage(loaded: dict[str, Loaded]) -> tables.Table:
    """A row a suite: planned, done, skipped, failed, not run."""
    rows = []
    for name, one in loaded.items():
        suite = one.suite
        planned = len(suite.dataset) * len(one.methods) * len(suite.backbone) * len(suite.resamples) * len(suite.seeds)
        counts = one.frame["status"].value_counts().to_dict() if one.cells else {}
        states = [int(counts.get(state, 0)) for state in ("ok", "skipped", "failed")]
        rows.append([TITLES[name], planned, *states, planned - sum(states)])
    return ["suite", "cells planned", "done", "skipped", "failed", "not run"], rows


def missing(loaded: dict[str, Loaded]) -> tables.Table:
    """A row for every suite, state, reason and set of datasets or methods that has no result."""
    head, rows = ["suite", "state", "reason", "cells", "datasets", "methods"], []
    for name, one in loaded.items():
        if one.cells is None:
            rows.append([name, "not run", "the suite has not been started", "all", "all", "all"])
            continue
        lacking = one.frame[one.frame["status"] != "ok"]
        for (state, reason), group in lacking.groupby(["status", "reason"], observed=True):
            rows.append([name, state, reason, len(group), _names(group["dataset"]), _names(group["method"])])
        there = set(zip(*(one.frame[key] for key in ("dataset", "method", "resample", "seed")), strict=True))
        wanted = [
            (dataset, method)
            for dataset in one.suite.dataset
            for method in one.methods
            for resample in one.suite.resamples
            for seed in one.suite.seeds
            if (dataset, method, resample, seed) not in there
        ]
        if wanted:
            datasets, methods = (list(dict.fromkeys(pair[place] for pair in wanted)) for place in (0, 1))
            shown = [_short(datasets, one.suite.dataset), _short(methods, one.methods)]
            rows.append([name, "not run", "no time yet: the suite is resumed by its own command", len(wanted), *shown])
    return head, rows


def _names(column: pd.Series) -> str:
    return ", ".join(sorted(map(str, column.unique())))


def _short(names: list[str], everything: list[str] | tuple[str, ...]) -> str:
    if len(names) == len(everything):
        return "all"
    return ", ".join(names) if len(names) <= 12 else f"{len(names)} of {len(everything)}"
