"""Store the plans of a folder for `status`, which lists unfinished cells. A run does not read them."""

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
    """Store the cells of a plan; equal plans are stored once."""
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
    """Return the cells of all plans that were run into a folder, each once; a damaged plan raises SsdBenchError."""
    cells: dict[Cell, None] = {}
    for path in sorted((out / _FOLDER).glob("*.json")):
        try:
            for run, datasets in json.loads(path.read_bytes()).items():
                method, backbone, recipe, folder = json.loads(run)
                for dataset, places in datasets.items():
                    for resample, seed in places:
                        cells[Cell(dataset, method, backbone, recipe, resample, seed, folder)] = None
        except (ValueError, TypeError, AttributeError) as error:
            remedy = "Delete the file. Another run of the same suite writes it again, and computes no finished cell again."
            raise SsdBenchError(f"The plan {path} is damaged.", "", remedy) from error
    return list(cells)
