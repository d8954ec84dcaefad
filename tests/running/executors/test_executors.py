"""What every executor does, shown with processes and with one that a test adds in one file (`in_process.py`)."""

import json
from pathlib import Path

import pytest

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.running.executors.base import Task, WorkerError, WorkerSettings, call, call_each, executors, open_executor
from ssd_cli.running.progress import SilentReporter
from ssd_cli.running.resume import look
from ssd_cli.running.run import run_suite
from ssd_cli.running.suite_run import SuiteRun
from ssd_cli.store.results import ResultStore
from tests.running import fakes
from tests.running.builders import make_plan, make_planned, make_suite, write_dataset

NAMES = ["processes", "in-process"]


@pytest.fixture(scope="module", autouse=True)
def planted():
    executors.add_plugin(Path(__file__).with_name("in_process.py"))


@pytest.fixture(params=NAMES)
def executor(request):
    with open_executor(request.param, WorkerSettings(n_workers=2)) as executor:
        yield executor


def ended(executor):
    while True:
        for event in executor.events(1.0):
            if event.kind != "progress":
                return event


def test_a_task_returns_its_result_or_raises_its_error(executor):
    assert executor.capacity == 2
    assert call(executor, fakes.add, 1, 2) == 3
    assert call_each(executor, 2, fakes.add, 2, 2) == [4, 4]
    with pytest.raises(MisuseError) as caught:
        call(executor, fakes.misuse, None)
    assert (caught.value.what, caught.value.expected, caught.value.remedy) == ("what", "expected", "remedy")
    with pytest.raises(WorkerError, match="KeyError") as unexpected:
        call(executor, fakes.surprise, None)
    assert "in surprise" in unexpected.value.trace


def test_progress_is_reported_in_order(executor):
    reports = []
    assert call(executor, fakes.chatter, 20, report=reports.append) == "talked"
    assert reports[0] == 0 and reports == sorted(reports)


def test_a_task_that_is_submitted_comes_back_with_its_event(executor):
    executor.submit(Task("cell", fakes.add, (1, 1), "group"))
    event = ended(executor)
    assert (event.kind, event.value, event.task.key, event.started) == ("done", 2, "cell", True)


def real_suite(folder, out, **options):
    for name, n_train in (("Waves", 8), ("OneClass", 1)):
        write_dataset(folder, name, n_train=n_train)
    chosen = {"method": ("single", "kd"), "backbone": ("lite",), "recipe": "smoke", "device": "cpu", "data_dir": (folder,)}
    return make_suite(out, **(chosen | {"dataset": ("Waves", "OneClass"), "download": False} | options))


def results(out):
    """Return the bytes of all probabilities, and what records hold beside times."""
    store, found = ResultStore(out), {}
    for record in store.records():
        parts = json.loads(record.to_json())
        predictions = b"".join(part.tobytes() for part in store.predictions(record.cell)) if record.status == "ok" else b""
        found[str(record.cell)] = predictions, {name: parts[name] for name in ("cell", "identity", "status", "scores", "networks")}
    return found


def test_a_suite_has_the_same_results_with_every_executor_and_a_failed_cell_is_a_record(tmp_path):
    found = {}
    for name in NAMES:
        progress = run_suite(real_suite(tmp_path / "data", tmp_path / name), name)
        assert (progress.ok, progress.failed, progress.left) == (2, 2, 0)
        found[name] = results(tmp_path / name)
        assert not list((tmp_path / name / ".claims").iterdir())
    assert len(found["processes"]) == 4
    assert found["processes"] == found["in-process"]
    again = run_suite(real_suite(tmp_path / "data", tmp_path / "in-process"), "in-process")
    assert (again.done_before, again.finished) == (4, 0)


def test_ctrl_c_releases_the_claims_and_the_run_can_go_on(tmp_path):
    class Interrupting(SilentReporter):
        def finished(self, planned, outcome, progress):
            raise KeyboardInterrupt

    suite = real_suite(tmp_path / "data", tmp_path / "out", dataset=("Waves",))
    with pytest.raises(KeyboardInterrupt):
        run_suite(suite, "in-process", Interrupting())
    assert not list((tmp_path / "out" / ".claims").iterdir())
    progress = run_suite(suite, "in-process")
    assert (progress.done_before, progress.ok, progress.left) == (1, 1, 0)


def run_planted(cells, out, compute):
    suite = make_suite(out)
    with open_executor("in-process", WorkerSettings()) as executor:
        return SuiteRun(look(make_plan(cells), suite), suite, executor, SilentReporter(), execute=compute).run()


def test_a_cell_whose_worker_dies_twice_has_failed_and_the_others_go_on(tmp_path):
    progress = run_planted([make_planned("A", "dying"), make_planned("B", "ok")], tmp_path, fakes.run_or_die)
    assert (progress.ok, progress.failed, progress.left) == (1, 1, 0)
    record = ResultStore(tmp_path).read(make_planned("A", "dying").cell)
    assert record.reason == "Twice the worker died." and "last words" in record.traceback


def test_an_error_outside_the_cell_ends_the_run(tmp_path):
    with pytest.raises(SsdBenchError, match="disk is full"):
        run_planted([make_planned("A", "full")], tmp_path, fakes.run_fake)
    assert not list(ResultStore(tmp_path).records())


def test_an_unknown_executor_is_refused_with_the_known_names():
    with pytest.raises(MisuseError, match="Did you mean 'processes'"):
        open_executor("process", WorkerSettings())
