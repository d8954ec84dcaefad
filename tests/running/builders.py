import math
from pathlib import Path

from ssd_cli.core.cell_spec import CellSpec
from ssd_cli.running.executors.base import open_executor
from ssd_cli.running.plan import Plan, PlannedCell
from ssd_cli.running.run import worker_settings
from ssd_cli.running.suite import Suite
from tests.store.builders import make_cell, make_record


def make_planned(dataset="GunPoint", method="single", backbone="lite", *, resample=0, seed=0, cost=1.0, **identity):
    cell = make_cell(dataset, method, backbone, resample=resample, seed=seed)
    return PlannedCell(cell, make_spec(cell, **identity), f"{dataset} {backbone} {resample} {seed}", cost, cost)


def make_spec(cell=None, **identity):
    full = make_record(cell).spec.to_identity() | {"threads": 1, "device": "cpu", "execution": "plain"}
    return CellSpec.from_identity(full | identity)


def make_plan(cells):
    return Plan(list(cells), "cpu")


def make_suite(out, **options):
    return Suite(**({"dataset": ("GunPoint",), "method": ("single",), "workers": 1, "out": Path(out)} | options))


def start_workers(suite):
    return open_executor("processes", worker_settings(suite))


def write_dataset(folder, name, *, n_train=8, n_test=6, labels=("a", "b"), n_timepoints=16, shift=0.0):
    """A small problem in aeon's layout: the classes are slow and fast waves."""
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    for part, n_cases in (("TRAIN", n_train), ("TEST", n_test)):
        header = ["@problemName " + name, "@timestamps false", "@missing false", "@univariate true", "@equalLength true"]
        header += [f"@seriesLength {n_timepoints}", "@classLabel true " + " ".join(labels), "@data"]
        rows = []
        for case in range(n_cases):
            label = case % len(labels)
            values = [math.sin((label + 1) * (step + case)) + 0.1 * case + shift for step in range(n_timepoints)]
            rows.append(",".join(f"{value:.6f}" for value in values) + ":" + labels[label])
        (place / f"{name}_{part}.ts").write_text("\n".join([*header, *rows]) + "\n")
    return place
