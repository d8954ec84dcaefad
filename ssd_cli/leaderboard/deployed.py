"""Accuracy, size and latency of exported models, as columns of the leaderboard."""

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
from ssd_cli.leaderboard.missing import describe_grid
from ssd_cli.metrics import DEPLOYED_FIGURES, DEPLOYED_KINDS
from ssd_cli.store.index import load_index

if TYPE_CHECKING:
    from ssd_cli.leaderboard.compare import Comparison

SUFFIX = ".onnx.json"
_SHOWN = 5

Report = dict[str, Any]
Run = tuple[int, int]
"""Resample and seed."""
Place = tuple[str, Run]
"""Dataset, and run (resample and seed): files of several methods are comparable if these agree."""
Found = dict[str, dict[Place, list[Report]]]
"""The reports of each method."""


def with_deployed(comparison: Comparison, places: Sequence[Path], folders: Sequence[Path]) -> Comparison:
    """Return the comparison with the figures of exported models, and with notes about these figures.

    A figure is the mean over the datasets, resamples and seeds for which every exported method has a file. `places` are files of
    ``ssd-bench export`` (``model.onnx`` or ``model.onnx.json``), or folders of such files. Files from other trainings than those
    in `folders` are left out, with a warning.

    Raises
    ------
    SsdBenchError
        No file belongs to these results, a report is malformed, or no dataset has files of all methods from one run.
    """
    found, strange = _belonging(comparison, places, folders)
    means, notes = {}, []
    warnings = [f"Not of these results, and left out: {', '.join(sorted(strange))}."] if strange else []
    for kind, title in DEPLOYED_KINDS.items():
        there = _there(found, kind)
        common = _common(there)
        if not common:
            continue
        for figure in DEPLOYED_FIGURES:
            means[f"deployed_{kind}_{figure}"] = _means(comparison.names, common, found, kind, figure)
        notes.append(_note(title, common, comparison))
        warnings += _unshared(title, there, common)
    notes.append(f"Latency of exported files: {_conditions(found)}.")
    return dataclasses.replace(
        comparison,
        summary=dataclasses.replace(comparison.summary, values={**comparison.summary.values, **means}),
        notes=(*comparison.notes, *notes),
        warnings=(*comparison.warnings, *warnings),
    )


def _belonging(comparison: Comparison, places: Sequence[Path], folders: Sequence[Path]) -> tuple[Found, list[str]]:
    """Return the reports of the compared trainings, and the names of all other files."""
    files = [path for place in places for path in _reports(place)]
    trained = {identity for folder in folders for identity in load_index(folder)["identity_hash"].tolist()}
    found: Found = defaultdict(lambda: defaultdict(list))
    names = {(one.method, one.backbone, one.recipe): one.name for one in comparison.rows}
    strange = []
    for path in files:
        report = _read(path)
        cell = report["cell"]
        name = names.get((cell["method"], cell["backbone"], cell["recipe"]))
        if report["identity_sha256"] in trained and name is not None and cell["dataset"] in comparison.datasets:
            found[name][cell["dataset"], (cell["resample"], cell["seed"])].append(report)
        else:
            strange.append(path.name)
    if not found:
        raise SsdBenchError(
            f"None of the {len(files)} exported files in {' and '.join(map(str, places))} belongs to the results compared.",
            "Expected exports of their cells: method, backbone, recipe, dataset and training must be the same.",
            "See: ssd-bench export",
        )
    if not _common(_there(found, "float")):
        raise SsdBenchError(
            "No dataset has exported files of all exported methods from the same resample and seed.",
            "\n".join(f"  {name}: {_places(sorted(places))}" for name, places in sorted(_there(found, "float").items())),
            "Export each method on the same datasets, with the same --resample and --seed.",
        )
    return found, strange


def _reports(place: Path) -> list[Path]:
    if place.is_dir():
        found = sorted(place.rglob(f"*{SUFFIX}"))
        if found:
            return found
        raise MisuseError(f"The folder {place} holds no '*{SUFFIX}'.", "Expected files of 'ssd-bench export'.")
    path = place if place.name.endswith(SUFFIX) else place.with_name(f"{place.name}.json")
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.", f"Expected the report that 'ssd-bench export' writes beside {place.name}.")
    return [path]


def _read(path: Path) -> Report:
    try:
        report: Report = json.loads(path.read_text(encoding="utf-8"))
        for kind in DEPLOYED_KINDS:
            if kind in report or kind == "float":
                _ = [float(report[kind][figure]) for figure in DEPLOYED_FIGURES]
        cell = report["cell"]
        _ = [report["identity_sha256"], *(cell[key] for key in ("dataset", "method", "backbone", "recipe"))]
        _ = [int(cell[key]) for key in ("resample", "seed")]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SsdBenchError(f"{path} is not a report of 'ssd-bench export': {error!r}.", "", "Export the model again.") from error
    return report


def _there(found: Found, kind: str) -> dict[str, set[Place]]:
    """Return the places of the files of this kind, for each method that has such files."""
    places = {name: {place for place, some in reports.items() if _of(some, kind)} for name, reports in found.items()}
    return {name: some for name, some in places.items() if some}


def _of(reports: list[Report], kind: str) -> list[Report]:
    return [report[kind] for report in reports if kind in report]


def _common(there: dict[str, set[Place]]) -> dict[str, set[Run]]:
    """Return the runs, by dataset, for which all these methods have a file."""
    common: dict[str, set[Run]] = {}
    for dataset, run in sorted(set.intersection(*there.values())) if there else []:
        common.setdefault(dataset, set()).add(run)
    return common


def _means(names: list[str], common: dict[str, set[Run]], found: Found, kind: str, figure: str) -> npt.NDArray[np.float64]:
    """Average over the common runs (and repeated exports) of a dataset, then over datasets; NaN for a method without files."""

    def mean(name: str, dataset: str) -> np.floating:
        return np.mean([np.mean([one[figure] for one in _of(found[name][dataset, run], kind)]) for run in common[dataset]])

    there = _there(found, kind)
    return np.array([np.mean([mean(name, dataset) for dataset in common]) if name in there else np.nan for name in names])


def _note(title: str, common: dict[str, set[Run]], comparison: Comparison) -> str:
    """Return a sentence on the runs and datasets of the figures, and one if the ranked accuracy is a mean of other results."""
    runs = set.union(*common.values())
    partly = "" if all(one == runs for one in common.values()) else ", not all of them on every dataset"
    text = f"{title}: exported files of {describe_grid(runs)}{partly}, mean over {_listed(list(common), len(comparison.datasets))}."
    if all(len(one) == comparison.n_results for one in common.values()):
        return text
    return f"{text} The accuracy that is ranked is the mean of {comparison.n_results} results."


def _unshared(title: str, there: dict[str, set[Place]], common: dict[str, set[Run]]) -> list[str]:
    """Return a sentence on the files that are left out because another method lacks their run."""
    shared = set.intersection(*({dataset for dataset, _ in places} for places in there.values()))
    left_out = {
        name: sorted((dataset, run) for dataset, run in places if dataset in shared and run not in common.get(dataset, set()))
        for name, places in sorted(there.items())
    }
    listed = "; ".join(f"{name}: {_places(places)}" for name, places in left_out.items() if places)
    return (
        [f"{title}: files of resamples and seeds that not every method was exported from are left out ({listed})."]
        if listed
        else []
    )


def _places(places: list[Place]) -> str:
    texts = [f"{dataset} resample {resample} seed {seed}" for dataset, (resample, seed) in places[:_SHOWN]]
    return ", ".join([*texts, *([f"{len(places) - _SHOWN} more"] if len(places) > _SHOWN else [])])


def _listed(datasets: list[str], n_datasets: int) -> str:
    return f"{len(datasets)} of {n_datasets} datasets ({', '.join(datasets)})" if len(datasets) < n_datasets else "all datasets"


def _conditions(found: Found) -> str:
    reports = [report for of_method in found.values() for some in of_method.values() for report in some]
    figures = [report[kind] for report in reports for kind in DEPLOYED_KINDS if kind in report]
    texts = sorted({f"{one.get('latency_convention', 'unknown')}; {one.get('processor', 'unknown processor')}" for one in figures})
    return " and ".join(texts)
