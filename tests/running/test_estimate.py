"""Estimated seconds: arithmetic on made-up rates."""

import dataclasses
import itertools

import pytest

from ssd_cli.running.estimate import ASSUMED, CELL_SECONDS, START_SECONDS, Estimate, estimate, price
from ssd_cli.running.executors.base import Event, Executor, WorkerSettings
from ssd_cli.running.plan import make_plan
from ssd_cli.running.rates import Measured
from ssd_cli.running.schedule import Queue
from ssd_cli.running.work import Counts, Work, rates_key
from tests.running.builders import make_plan as plan_of
from tests.running.builders import make_planned, make_suite, write_dataset

MEASURED = Measured("lite", Counts(1e-3, 1e-11, 1e-12), "2026-01-01")
RATES = {"rates": Counts(steps=1.0)}
"""Of networks whose time is the number of their steps."""


def cell(method, trainings, *, dataset="A"):
    """A cell with trainings given as (shared, steps)."""
    work = Work("rates", (*((shared, Counts(steps=steps)) for shared, steps in trainings), ("", Counts())))
    return dataclasses.replace(make_planned(dataset, method), work=work)


SINGLE, ENSEMBLE = [("m0", 10)], [("m0", 10), ("m1", 10), ("m2", 10)]
DISTILLED, SSD = [("m0", 10), ("", 10)], [("m0 dropout", 10), ("", 2.5)]


def costs(cells, done=(), rates=RATES):
    plan = dataclasses.replace(plan_of(cells), done={cells[number].key: "ok" for number in done})
    return [round(one.cost - CELL_SECONDS, 9) for one in price(plan, rates).cells]


def test_a_network_is_paid_for_once_by_the_cell_that_is_submitted_first():
    cells = [cell("single", SINGLE), cell("ens-avg", ENSEMBLE), cell("kd", DISTILLED), cell("ssd", SSD)]
    assert costs(cells) == [0, 30, 10, 12.5]
    assert [one.alone - CELL_SECONDS for one in price(plan_of(cells), RATES).cells] == pytest.approx([10, 30, 20, 12.5])


def test_the_sum_is_that_of_all_networks_in_any_order():
    cells = [cell("single", SINGLE), cell("ens-avg", ENSEMBLE), cell("kd", DISTILLED), cell("ssd", SSD)]
    assert {sum(costs(order)) for order in itertools.permutations(cells)} == {52.5}


def test_the_order_of_the_queue_is_the_order_in_which_cells_pay():
    pair = cell("ens-avg[members=2]", ENSEMBLE[:2])  # alone as long as kd
    plan = price(plan_of([cell("single", SINGLE), pair, cell("kd", DISTILLED), cell("ens-avg", ENSEMBLE)]), RATES)
    queue, order = Queue(plan.cells), []
    while queue:
        order.append(queue.take(order[-1].group if order else None))
    assert [one.cell.method for one in order] == ["ens-avg", "kd", "ens-avg[members=2]", "single"]
    trained: set[str] = set()
    for one in order:
        fresh = [counts.steps for shared, counts in one.work.parts if not shared or shared not in trained]
        trained |= {shared for shared, _ in one.work.parts}
        assert one.cost - CELL_SECONDS == pytest.approx(sum(fresh))


def test_of_two_equally_long_cells_the_one_that_the_queue_submits_first_pays():
    plan = price(plan_of([cell("ens-avg[members=2]", ENSEMBLE[:2]), cell("kd", DISTILLED)]), RATES)
    first = Queue(plan.cells).take()
    assert first.cost == first.alone
    assert sum(one.cost for one in plan.cells) == pytest.approx(30 + 2 * CELL_SECONDS)


def test_cells_of_other_datasets_share_nothing():
    assert costs([cell("single", SINGLE), cell("single", SINGLE, dataset="B")]) == [10, 10]


def test_what_done_cells_left_on_the_disk_costs_nothing_and_they_cost_nothing_more():
    cells = [cell("single", SINGLE), cell("ens-avg", ENSEMBLE), cell("kd", DISTILLED)]
    plan = dataclasses.replace(plan_of(cells), done={cells[1].key: "ok"})
    priced = price(plan, RATES)
    assert [one.cost - CELL_SECONDS for one in priced.pending] == pytest.approx([0, 10])
    failed = price(dataclasses.replace(plan, done={cells[1].key: "failed"}), RATES)
    assert sum(one.cost - CELL_SECONDS for one in failed.pending) == pytest.approx(20)


def test_workers_share_the_time_but_no_cell_is_cut():
    def wall_seconds(n_workers, *costs):
        plan = plan_of([make_planned(name, cost=cost) for name, cost in zip("ABC", costs, strict=False)])
        return Estimate(plan, n_workers, (), 0.0, (), ()).wall_seconds

    assert wall_seconds(1, 6.0, 2.0, 2.0) == START_SECONDS + 10
    assert wall_seconds(2, 6.0, 2.0, 2.0) == wall_seconds(9, 6.0, 2.0, 2.0) == START_SECONDS + 6
    assert wall_seconds(2) == 0


def test_costs_decide_nothing_but_costs(tmp_path):
    write_dataset(tmp_path, "Waves")
    suite = make_suite(
        tmp_path / "out",
        dataset=("Waves",),
        method=("single", "ssd", "dummy"),
        backbone=("lite",),
        recipe="smoke",
        data_dir=(tmp_path,),
    )
    plan = make_plan(suite, dry_run=False)
    rates = {one.work.rates: Counts(7, 7, 7) for one in plan.cells if one.work}
    priced = [price(plan, of).cells for of in ({}, rates)]
    assert priced[0][0].cost != priced[1][0].cost
    for cells in priced:
        assert [(one.identity_hash, one.key, one.group) for one in cells] == [
            (one.identity_hash, one.key, one.group) for one in plan.cells
        ]
    assert [one.alone for one in priced[0] if one.work is None] == [CELL_SECONDS]


def test_without_rates_they_are_assumed():
    assert costs([cell("single", SINGLE)], rates={}) == [10 * ASSUMED.steps]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def suite(tmp_path):
    write_dataset(tmp_path / "data", "Waves")
    options = {"dataset": ("Waves",), "method": ("single", "dummy"), "backbone": ("lite[width=2]",), "recipe": "smoke"}
    return make_suite(tmp_path / "out", data_dir=(tmp_path / "data",), device="cpu", workers=2, **options)


class Measuring(Executor):
    """An executor whose workers measure the same made-up rates; counts its tasks."""

    def __init__(self, n_workers=2):
        super().__init__(WorkerSettings(n_workers=n_workers))
        self.tasks, self.n_tasks = [], 0

    def submit(self, task):
        self.tasks.append(task)
        self.n_tasks += 1

    def events(self, seconds):
        tasks, self.tasks = self.tasks, []
        found = [{rates_key(spec, "fp32"): MEASURED for spec in task.arguments[0]} for task in tasks]
        return [Event("done", value, task) for task, value in zip(tasks, found, strict=True)]

    def cancel(self):
        pass

    def close(self):
        pass


def test_a_dry_run_measures_once_and_a_run_never(suite):
    plan, executor = make_plan(suite, dry_run=False), Measuring()
    assumed = estimate(plan, suite)
    assert (assumed.assumed, assumed.measured, assumed.unknown) == (("lite[width=2]",), (), ("dummy",))
    assert assumed.pace is None
    measured = dataclasses.replace(MEASURED, label="lite[width=2]")
    first = estimate(plan, suite, executor)
    assert (first.assumed, first.measured, executor.n_tasks) == ((), (measured,), 2)
    again = estimate(plan, suite, executor)
    assert (again.calibration_seconds, again.measured, executor.n_tasks) == (0, (measured,), 2)
    assert estimate(plan, suite).plan == again.plan == first.plan
    assert assumed.plan != first.plan
    assert [cell.identity_hash for cell in first.plan.cells] == [cell.identity_hash for cell in plan.cells]


def test_no_more_workers_measure_than_will_compute(suite):
    plan, executor = make_plan(suite, dry_run=False), Measuring()
    one_left = dataclasses.replace(plan, done={cell.key: "ok" for cell in plan.cells if cell.work is None})
    assert len(one_left.pending) == 1
    estimate(one_left, suite, executor)
    assert (executor.n_tasks, estimate(one_left, suite).assumed) == (1, ())
    assert estimate(one_left, suite).pace == 1
    assert estimate(plan, suite).assumed == ("lite[width=2]",)  # alone, a worker is faster than beside another
    estimate(plan, suite, executor)
    assert (executor.n_tasks, estimate(plan, suite).assumed) == (1 + 2, ())


def test_rates_of_one_backbone_are_labelled_by_execution(suite):
    plan = make_plan(dataclasses.replace(suite, method=("single",)), dry_run=False)
    (one,) = plan.cells
    other = dataclasses.replace(one, cell=dataclasses.replace(one.cell, seed=1), work=one.work._replace(rates="other"))
    other = dataclasses.replace(other, spec=dataclasses.replace(one.spec, execution="bilinear"))
    assert estimate(plan, suite).assumed == ("lite[width=2]",)
    both = estimate(dataclasses.replace(plan, cells=[one, other]), suite)
    assert both.assumed == ("lite[width=2] (fast)", "lite[width=2] (bilinear)")
