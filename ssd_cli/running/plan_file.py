"""Store the plans of a folder for `status`, which lists what is left. A run does not read them."""

from __future__ import annotations

import json
from pathlib import Path

from ssd_cli.configuration import digest
from ssd_cli.core import atomic
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.plan import Plan
from ssd_cli.store.record import Cell

_FOLDER = ".plans"


def save_plan(out: Path, plan: Plan) -> None:
    """Store the cells of a plan, once for equal plans."""
    cells: dict[str, dict[str, list[list[int]]]] = {}
    for planned in plan.cells:
        cell = planned.cell
        run = json.dumps([cell.method, cell.backbone, cell.recipe, cell.folder])
        cells.setdefault(run, {}).setdefault(cell.dataset, []).append([cell.resample, cell.seed])
    path = out / _FOLDER / f"{digest(cells)[:16]}.json"
    if not path.is_file():
        with atomic.writing_to(out):
            atomic.write([(path, json.dumps(cells, indent=1).encode())], out / ".tmp")


def planned_cells(out: Path) -> list[Cell]:
    """Return the cells of all plans that were run into a folder, each once; SsdBenchError where a plan is damaged."""
    cells: dict[Cell, None] = {}
    for path in sorted((out / _FOLDER).glob("*.json")):
        try:
            for run, datasets in json.loads(path.read_bytes()).items():
                method, backbone, recipe, folder = json.loads(run)
                for dataset, places in datasets.items():
                    for resample, seed in places:
                        cells[Cell(dataset, method, backbone, recipe, resample, seed, folder)] = None
        except (ValueError, TypeError, AttributeError) as error:
            remedy = "Delete it. Running the same suite again writes it and computes nothing twice."
            raise SsdBenchError(f"The plan {path} is damaged.", "", remedy) from error
    return list(cells)
