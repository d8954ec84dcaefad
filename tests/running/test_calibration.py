"""Rates that are kept, and how they are measured; how fast anything is is never looked at."""

import dataclasses
import json

import pytest

from ssd_cli.archives.cache import cache_root
from ssd_cli.running import calibration
from ssd_cli.running.calibration import Batch, Measured, Times, average, keep, load, machine, measure, rates_of
from ssd_cli.running.estimate import _labels, estimate
from ssd_cli.running.executors.base import Event, Executor, WorkerSettings
from ssd_cli.running.plan import make_plan
from ssd_cli.running.work import Counts, rates_key, step_flops
from ssd_cli.training.build import build_backbone
from tests.running.builders import make_planned, make_spec, make_suite, write_dataset

MEASURED = Measured("lite", Counts(1e-3, 1e-11, 1e-12, 1e-3, 1e-11), 1.5, "2026-01-01")
SPEC = make_spec(
    execution="fast",
    backbone={"name": "lite", "parameters": {"width": 2, "kernel": 8, "separable": False}},
    recipe={"name": "smoke", "parameters": {"epochs": 3}},
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def suite(tmp_path):
    write_dataset(tmp_path / "data", "Waves")
    options = {"dataset": ("Waves",), "method": ("single", "dummy"), "backbone": ("lite[width=2]",), "recipe": "smoke"}
    return make_suite(tmp_path / "out", data_dir=(tmp_path / "data",), device="cpu", workers=2, **options)


def test_rates_are_kept_and_added_to():
    of = machine(1, 2, "cpu")
    assert load(of) == {}
    keep(of, {"a": MEASURED})
    keep(of, {"b": dataclasses.replace(MEASURED, label="fcn")})
    assert load(of) == {"a": MEASURED, "b": dataclasses.replace(MEASURED, label="fcn")}


@pytest.mark.parametrize("changed", ["cpu", "cores", "torch", "ssd-bench", "threads", "workers", "device", "format"])
def test_another_machine_or_torch_never_finds_them(changed):
    of = machine(1, 2, "cpu")
    keep(of, {"a": MEASURED})
    assert load(of | {changed: "another"}) == {}
    (path,) = (cache_root() / "rates").iterdir()
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"machine": kept["machine"] | {changed: "another"}}))  # a file that was copied by hand
    assert load(of) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace("1e-11", '"fast"'),
        lambda text: text.replace("1e-11", "NaN"),
        lambda text: text.replace("1e-11", "-1"),
        lambda text: text.replace("1e-12,", ""),
    ],
)
def test_a_damaged_file_is_measured_again(damage):
    of = machine(1, 2, "cpu")
    keep(of, {"a": MEASURED})
    (path,) = (cache_root() / "rates").iterdir()
    path.write_text(damage(path.read_text()))
    assert load(of) == {}
    keep(of, {"a": MEASURED})
    assert load(of) == {"a": MEASURED}


def test_a_cache_that_cannot_be_written_is_no_error(cache):
    cache.write_text("a file where the folder should be")
    keep(machine(1, 2, "cpu"), {"a": MEASURED})
    assert load(machine(1, 2, "cpu")) == {}


def test_rates_solve_for_what_was_measured(monkeypatch):
    truth = Counts(steps=0.02, flops=3e-11, input_flops=4e-12, passes=0.005, pass_flops=2e-11)

    def times(spec, batch):
        single, flops = (batch.n_cases * batch.n_timepoints * step_flops(build_backbone(spec), n) for n in (1, batch.n_channels))
        return Times(Counts(1, single, flops - single, 0, 0).times(truth), Counts(0, 0, 0, 1, flops / 3).times(truth))

    monkeypatch.setattr(calibration, "_times", times)
    assert rates_of(SPEC) == pytest.approx(truth, rel=1e-6)


def test_rates_are_measured_on_the_real_loop(monkeypatch):
    monkeypatch.setattr(calibration, "_BATCHES", (Batch(2, 1, 8), Batch(4, 1, 64), Batch(4, 3, 32)))
    told = []
    ((_, found),) = measure([SPEC], 1, told.append).items()
    assert told == ["calibrating: lite"]
    assert found.label == "lite"
    assert all(rate >= 0 for rate in found.rates)
    assert found.rates.flops > 0


def test_a_network_that_cannot_take_the_series_is_left_out(monkeypatch):
    def refuse(*arguments):
        raise ValueError("two channels are needed")

    monkeypatch.setattr(calibration, "rates_of", refuse)
    assert measure([SPEC], 1, lambda text: None) == {}
    assert average([{"a": MEASURED}, {}]) == {}


def test_workers_that_measure_at_once_are_averaged():
    slower = dataclasses.replace(MEASURED, rates=Counts(*(3 * rate for rate in MEASURED.rates)), seconds=2.0)
    (one,) = average([{"a": MEASURED}, {"a": slower}]).values()
    assert one.rates == pytest.approx(tuple(2 * rate for rate in MEASURED.rates))
    assert one.seconds == 2.0


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
    assert assumed.seconds != first.seconds
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


def test_rates_of_one_backbone_say_by_which_execution():
    executions = {"a": ("inception", "fast"), "b": ("inception", "bilinear"), "c": ("lite", "fast")}
    kinds = {name: make_planned(backbone=one, execution=execution) for name, (one, execution) in executions.items()}
    assert list(_labels(kinds).values()) == ["inception (fast)", "inception (bilinear)", "lite"]
