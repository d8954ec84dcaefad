"""Exported files beside the leaderboard: accuracy, size and latency of each method as a device would run it."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store.index import load_index

if TYPE_CHECKING:
    from ssd_cli.leaderboard.compare import Comparison

SUFFIX = ".onnx.json"
KINDS = {"float": "ONNX", "int8": "int8"}
"""Of the figures in a report of ``ssd-bench export``, and what tables call them."""
FIGURES = ("accuracy", "size_bytes", "latency_ms_p50", "latency_ms_p95")
DEPLOYED = tuple(f"deployed_{kind}_{figure}" for kind in KINDS for figure in FIGURES)

Report = dict[str, Any]


def with_deployed(comparison: Comparison, places: Sequence[Path], folders: Sequence[Path]) -> Comparison:
    """The comparison with the figures of exported files among its facts, and sentences that say what they are.

    A figure is the mean over the datasets for which every exported method has a file: the methods stay comparable.

    Parameters
    ----------
    comparison : Comparison
    places : sequence of Path
        Files that ``ssd-bench export`` wrote (``model.onnx`` or ``model.onnx.json``), or folders that hold such files.
    folders : sequence of Path
        The folders of results that were compared. A file that was exported from another training is left out, with a warning.

    Raises
    ------
    SsdBenchError
        No file belongs to these results, a report is malformed, or no dataset has files of all exported methods.
    """
    files = [path for place in places for path in _reports(place)]
    trained = {identity for folder in folders for identity in load_index(folder)["identity_hash"].tolist()}
    found: dict[tuple[str, str], list[Report]] = defaultdict(list)
    names = {(one.method, one.backbone, one.recipe): one.name for one in comparison.contestants}
    strange = []
    for path in files:
        report = _read(path)
        cell = report["cell"]
        name = names.get((cell["method"], cell["backbone"], cell["recipe"]))
        if report["identity_sha256"] in trained and name is not None and cell["dataset"] in comparison.datasets:
            found[name, cell["dataset"]].append(report)
        else:
            strange.append(path.name)
    if not found:
        raise SsdBenchError(
            f"None of the {len(files)} exported files in {' and '.join(map(str, places))} belongs to the results compared.",
            "Expected exports of their cells: method, backbone, recipe, dataset and training must be the same.",
            "See: ssd-bench export",
        )
    if not _common(found, "float"):
        raise SsdBenchError(
            "No dataset has exported files of all exported methods.", "", "Export each method on the same datasets."
        )
    means, notes = {}, []
    for kind, title in KINDS.items():
        datasets = _common(found, kind)
        if not datasets:
            continue
        for figure in FIGURES:
            means[f"deployed_{kind}_{figure}"] = _means(comparison.names, datasets, found, kind, figure)
        notes.append(f"{title}: exported files, mean over {_listed(datasets, len(comparison.datasets))}.")
    notes.append(f"Latency of exported files: {_conditions(found)}.")
    warnings = [f"Not of these results, and left out: {', '.join(sorted(strange))}."] if strange else []
    return dataclasses.replace(
        comparison,
        facts=dataclasses.replace(comparison.facts, means={**comparison.facts.means, **means}),
        notes=(*comparison.notes, *notes),
        warnings=(*comparison.warnings, *warnings),
    )


def _reports(place: Path) -> list[Path]:
    if place.is_dir():
        found = sorted(place.rglob(f"*{SUFFIX}"))
        if found:
            return found
        raise MisuseError(f"{place} holds no '*{SUFFIX}'.", "Expected files of 'ssd-bench export'.")
    path = place if place.name.endswith(SUFFIX) else place.with_name(f"{place.name}.json")
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.", f"Expected the report that 'ssd-bench export' writes beside {place.name}.")
    return [path]


def _read(path: Path) -> Report:
    try:
        report: Report = json.loads(path.read_text(encoding="utf-8"))
        for kind in KINDS:
            if kind in report or kind == "float":
                _ = [float(report[kind][figure]) for figure in FIGURES]
        _ = [report["identity_sha256"], *(report["cell"][key] for key in ("dataset", "method", "backbone", "recipe"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SsdBenchError(f"{path} is not a report of 'ssd-bench export': {error!r}.", "", "Export it again.") from error
    return report


def _common(found: dict[tuple[str, str], list[Report]], kind: str) -> list[str]:
    """The datasets for which all methods that have files of the kind have one."""
    there: dict[str, set[str]] = defaultdict(set)
    for (name, dataset), reports in found.items():
        if any(kind in report for report in reports):
            there[name].add(dataset)
    return sorted(set.intersection(*there.values())) if there else []


def _means(
    names: list[str], datasets: list[str], found: dict[tuple[str, str], list[Report]], kind: str, figure: str
) -> npt.NDArray[np.float64]:
    """Mean over the files of a dataset (other seeds and resamples), then over the datasets; NaN for a method without files."""
    values = np.full((len(names), len(datasets)), np.nan)
    for i, name in enumerate(names):
        for d, dataset in enumerate(datasets):
            known = [report[kind][figure] for report in found.get((name, dataset), []) if kind in report]
            if known:
                values[i, d] = np.mean(known)
    return values.mean(axis=1)


def _listed(datasets: list[str], n_datasets: int) -> str:
    return f"{len(datasets)} of {n_datasets} datasets ({', '.join(datasets)})" if len(datasets) < n_datasets else "all datasets"


def _conditions(found: dict[tuple[str, str], list[Report]]) -> str:
    figures = [report[kind] for reports in found.values() for report in reports for kind in KINDS if kind in report]
    texts = sorted({f"{one.get('latency_convention', 'unknown')}; {one.get('processor', 'unknown processor')}" for one in figures})
    return " and ".join(texts)
