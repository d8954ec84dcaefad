from dataclasses import replace

import pytest
import torch

from ssd_cli.backbones.inception import InceptionBackbone
from ssd_cli.core.cell_spec import NO_BACKBONE
from ssd_cli.engine.footprint import CONTEXT_BYTES
from ssd_cli.running import execute as executing
from ssd_cli.running import packing
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.packing import Packing, needs_of
from ssd_cli.running.progress import SilentReporter
from ssd_cli.running.resume import look
from ssd_cli.running.suite_run import SuiteRun
from ssd_cli.running.work import DatasetShape
from ssd_cli.store.results import ResultStore
from ssd_cli.training.recipe import Smoke
from tests.running.builders import make_plan, make_planned, make_spec, make_suite, start_workers
from tests.running.fakes import run_fake


class Watching(SilentReporter):
    """Remembers which cells ran side by side, and what was said."""

    def __init__(self):
        self.together, self.notes = [], []

    def update(self, progress):
        self.together.append({current.planned.cell.dataset for current in progress.current.values()})

    def note(self, text):
        self.notes.append(text)


def run(cells, out, packing, workers=3):
    out.mkdir(exist_ok=True)
    suite, reporter = make_suite(out, workers=workers), Watching()
    with start_workers(suite) as executor:
        progress = SuiteRun(look(make_plan(cells), suite), suite, executor, reporter, execute=run_fake, packing=packing).run()
    return progress, reporter


def cells_of(**methods):
    return {dataset: make_planned(dataset, method) for dataset, method in methods.items()}


def test_a_cell_fits_where_all_estimates_together_do():
    cells = cells_of(A="ok", B="ok", C="ok")
    packing = Packing(100, {cells["A"].key: 60, cells["B"].key: 40, cells["C"].key: 500})
    assert packing.fits(cells["A"], [])
    assert packing.fits(cells["B"], [cells["A"]])
    assert not packing.fits(cells["C"], [cells["A"]])
    assert packing.fits(cells["C"], [])  # alone it may try: an estimate is no proof


def test_an_isolated_cell_runs_alone():
    cells = cells_of(A="ok", B="ok")
    packing = Packing()
    assert packing.fits(cells["A"], [cells["B"]])
    packing.alone.add(cells["A"].key)
    assert not packing.fits(cells["A"], [cells["B"]])
    assert not packing.fits(cells["B"], [cells["A"]])
    assert packing.fits(cells["A"], [])


def test_a_run_never_packs_more_than_there_is(tmp_path):
    cells = cells_of(A="slow", B="slow", C="slow", D="slow")
    needs = {cell.key: 40 for cell in cells.values()}
    progress, reporter = run(cells.values(), tmp_path / "two", Packing(100, needs))
    assert (progress.ok, progress.left) == (4, 0)
    assert max(map(len, reporter.together)) == 2
    _, reporter = run(cells.values(), tmp_path / "three", Packing(120, needs))
    assert max(map(len, reporter.together)) == 3


def test_a_cell_that_runs_out_of_memory_is_tried_once_more_alone(tmp_path):
    cells = cells_of(A="memory", B="slow", C="slow")
    progress, reporter = run(cells.values(), tmp_path, Packing())
    assert (progress.ok, progress.failed, progress.left) == (3, 0, 0)
    assert len(reporter.notes) == 1
    assert "once more without other cells" in reporter.notes[0]
    executions = (tmp_path / "executed").read_text().splitlines()
    assert sum(line.startswith("A ") for line in executions) == 2
    assert {"A"} in reporter.together


def test_a_cell_that_runs_out_of_memory_alone_fails_and_only_it(tmp_path):
    progress, _ = run(cells_of(A="memoryless", B="ok").values(), tmp_path, Packing())
    assert (progress.ok, progress.failed, progress.left) == (1, 1, 0)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB."),
        RuntimeError("CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation'"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_out_of_memory_is_recorded_only_where_the_cell_was_alone(tmp_path, monkeypatch, alone, error):
    def run_out(*arguments):
        raise error

    monkeypatch.setattr(executing, "compute", run_out)
    cell = make_planned()
    outcome = execute(Job(cell, tmp_path, alone=alone), lambda progress: None)
    record = ResultStore(tmp_path).read(cell.cell)
    if alone:
        assert outcome.status == record.status == "failed"
        assert "out of memory" in record.reason or "ALLOC_FAILED" in record.reason
    else:
        assert outcome.status == "memory"
        assert record is None


SHAPES = {"ItalyPowerDemand": DatasetShape(67, 1, 24, 1029, 2), "HandOutlines": DatasetShape(1000, 1, 2709, 370, 2)}


def real(dataset, method="single", execution="graph", **method_parameters):
    recipe = {"name": "smoke", "parameters": Smoke().for_backbone(InceptionBackbone).identity()}
    backbone = {"name": "inception", "parameters": {"width": 32, "depth": 6, "kernel": 40}}
    chosen = {"method": {"name": method, "parameters": method_parameters}, "backbone": backbone}
    planned = make_planned(dataset, method, "inception")
    return replace(planned, spec=make_spec(planned.cell, execution=execution, recipe=recipe, **chosen), shape=SHAPES[dataset])


def test_estimates_follow_shapes_and_the_networks_of_a_joint_training():
    small, large = real("ItalyPowerDemand"), real("HandOutlines")
    five, apart = real("ItalyPowerDemand", "ens-avg", members=5), real("ItalyPowerDemand", "ens-avg", "plain", members=5)
    needs = needs_of([small, large])
    assert needs[small.key] < needs[large.key] < 2**33
    assert needs_of([five])[five.key] - CONTEXT_BYTES == pytest.approx(5 * (needs[small.key] - CONTEXT_BYTES), rel=0.01)
    assert needs_of([apart])[apart.key] == needs[small.key]


def test_estimates_count_the_second_halves_of_a_teacher_that_run_at_once():
    mid, few, embed, single = (real("ItalyPowerDemand", name, **more) for name, more in (
        ("ssd-mid", {}), ("ssd-mid", {"representations": 10}), ("ssd", {}), ("single", {}),
    ))  # fmt: skip
    (of_mid,), (of_few,), (of_embed,), (of_single,) = (needs_of([cell]).values() for cell in (mid, few, embed, single))
    assert of_embed == of_single
    maps = 4 * 64 * 24 * 128  # of a batch, behind Inception's first half
    taps = 40 * 32 / 128  # of the widest convolution, whose columns are made of the maps of all copies
    assert of_few - of_single > 10 * maps * taps
    assert 3 * (of_few - of_single) == pytest.approx(of_mid - of_single, rel=0.1)
    assert of_mid - of_single < 2**30
    long, plain = (needs_of([real("HandOutlines", name)]).popitem()[1] for name in ("ssd-mid", "single"))
    assert long - plain < 0.7 * plain  # one copy at a time


def test_a_cell_without_networks_needs_no_memory_of_a_device():
    small, dummy = real("ItalyPowerDemand"), real("ItalyPowerDemand", "dummy", "plain")
    dummy = replace(dummy, spec=replace(dummy.spec, backbone=NO_BACKBONE))
    assert needs_of([dummy, small]).keys() == {small.key}
    assert Packing(1, {}).fits(dummy, [small])


def test_the_free_memory_is_read_from_the_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 2000))
    cell = real("ItalyPowerDemand")
    capacity, needs = packing.look_at_device([cell])
    assert capacity == 900
    assert set(needs) == {cell.key}
