import os
import subprocess
import sys
from collections import Counter

import pytest

from ssd_cli.core.claims import Claims
from ssd_cli.errors import SsdBenchError
from ssd_cli.running import suite_run
from ssd_cli.running.executors.base import WorkerError
from ssd_cli.running.progress import SilentReporter
from ssd_cli.running.resume import look
from ssd_cli.running.suite_run import SuiteRun
from ssd_cli.store.results import ResultStore
from tests.running.builders import make_plan, make_planned, make_suite, start_workers
from tests.running.fakes import run_fake


class Notes(SilentReporter):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def run(cells, out, reporter=None, **options):
    suite = make_suite(out, **options)
    with start_workers(suite) as executor:
        return SuiteRun(look(make_plan(cells), suite), suite, executor, reporter or SilentReporter(), execute=run_fake).run()


def executed(out):
    lines = (out / "executed").read_text().splitlines()
    return Counter(" ".join(line.split()[:3]) for line in lines), {line.split()[3] for line in lines}


def test_every_cell_is_executed_once_and_not_again_when_resumed(out):
    cells = [make_planned(dataset, method, cost=cost) for cost, dataset in enumerate("ABCD") for method in ("ok-1", "ok-2")]
    progress = run(cells, out, workers=2)
    counts, processes = executed(out)
    assert len(counts) == 8 and set(counts.values()) == {1} and len(processes) <= 2
    assert (progress.ok, progress.failed, progress.left, progress.done_before) == (8, 0, 0, 0)
    assert len(list(ResultStore(out).records())) == 8
    assert not list((out / ".claims").iterdir()) and not list((out / ".tmp").iterdir())
    progress = run(cells, out, workers=2)
    assert (progress.ok, progress.done_before, progress.left) == (0, 8, 0)
    assert executed(out)[0] == counts


def test_networks_that_a_killed_run_could_not_discard_are_discarded_when_it_goes_on(out, monkeypatch):
    cells = [make_planned(dataset, "ok") for dataset in "AB"]
    run(cells[:1], out)
    discarded = []
    monkeypatch.setattr(
        suite_run, "discard_group", lambda store, networks, group: discarded.append([one.cell.dataset for one in group])
    )
    run(cells, out, discard_networks=True)
    assert discarded == [["A"], ["B"]]


def test_a_worker_that_dies_costs_only_its_cell_which_is_tried_once_more_and_then_failed(out):
    cells = [make_planned("A", "killed"), make_planned("B", "killedonce"), make_planned("C", "ok"), make_planned("D", "ok")]
    reporter = Notes()
    progress = run(cells, out, reporter, workers=2)
    counts, _ = executed(out)
    assert counts == {"A killed 0": 2, "B killedonce 0": 2, "C ok 0": 1, "D ok 0": 1}
    assert (progress.ok, progress.failed, progress.left) == (3, 1, 0)
    record = ResultStore(out).read(cells[0].cell)
    assert record.status == "failed" and "SIGKILL" in record.reason and "last words" in record.traceback
    assert ResultStore(out).read(cells[1].cell).status == "ok"
    assert len(reporter.notes) == 2 and all("trying once more" in note for note in reporter.notes)


def test_failed_cells_stay_done_until_retry_failed(out):
    cells = [make_planned("A", "failing"), make_planned("B", "ok")]
    assert run(cells, out).failed == 1
    assert run(cells, out).done_before == 2
    progress = run(cells, out, retry_failed=True)
    assert (progress.done_before, progress.failed) == (1, 1)
    assert executed(out)[0] == {"A failing 0": 2, "B ok 0": 1}


@pytest.mark.parametrize(
    ("method", "error", "message"), [("full", SsdBenchError, "disk is full"), ("surprise", WorkerError, "KeyError")]
)
def test_an_error_outside_the_cell_ends_the_run_without_a_record(out, method, error, message):
    with pytest.raises(error, match=message):
        run([make_planned("A", method), make_planned("B", "ok", cost=0.1)], out)
    assert not list(ResultStore(out).records())
    assert not list((out / ".claims").iterdir())


CLAIM = """
import sys, time
from pathlib import Path
from ssd_cli.core.claims import Claims
from ssd_cli.store.results import ResultStore
from tests.running.fakes import run_fake
claim = Claims(Path(sys.argv[1]) / ".claims").take(sys.argv[2])
print("held", flush=True)
time.sleep(3)
"""


def test_a_cell_claimed_by_another_process_is_waited_for_and_taken_over_when_that_process_is_gone(out):
    cells = [make_planned("A", "ok"), make_planned("B", "ok")]
    other = subprocess.Popen([sys.executable, "-c", CLAIM, str(out), cells[0].key], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    progress = run(cells, out)
    assert other.wait() == 0
    assert progress.ok == 2 and progress.elsewhere == 0
    assert executed(out)[0] == {"A ok 0": 1, "B ok 0": 1}


def test_a_run_prefers_networks_that_no_other_run_is_training(out):
    """Of A the other run holds the longest cell; what shares its networks would wait for them."""
    cells = [make_planned("A", "ok-1", cost=3), make_planned("A", "ok-2", cost=2), make_planned("B", "ok-1", cost=1)]
    other = subprocess.Popen([sys.executable, "-c", CLAIM, str(out), cells[0].key], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    run(cells, out, workers=1)
    assert other.wait() == 0
    assert list(executed(out)[0]) == ["B ok-1 0", "A ok-2 0", "A ok-1 0"]


def test_a_run_that_does_not_wait_leaves_the_cells_of_others_to_them(out):
    cells = [make_planned("A", "ok"), make_planned("B", "ok")]
    with Claims(out / ".claims").take(cells[0].key):
        progress = run(cells, out, wait=False)
    assert (progress.ok, progress.left, progress.elsewhere) == (1, 1, 1)
    assert run(cells, out, wait=False).left == 0


SHARE = """
import sys
from pathlib import Path
from tests.running.test_suite_run import make_planned, run
if __name__ == "__main__":
    cells = [make_planned(dataset, method) for dataset in "ABCDEF" for method in ("slow-1", "slow-2")]
    progress = run(cells, Path(sys.argv[1]), workers=int(sys.argv[2]))
    print(progress.ok, progress.failed, progress.left)
"""


def test_several_runs_on_one_folder_share_the_work(out, tmp_path):
    script = tmp_path / "share.py"
    script.write_text(SHARE)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    runs = [
        subprocess.Popen([sys.executable, str(script), str(out), workers], stdout=subprocess.PIPE, text=True, env=environment)
        for workers in ("1", "2")
    ]
    assert [process.communicate(timeout=120)[0] for process in runs] == ["12 0 0\n", "12 0 0\n"]
    counts, processes = executed(out)
    assert len(counts) == 12 and set(counts.values()) == {1}
    assert len(processes) >= 2
    assert not list((out / ".claims").iterdir())


def test_a_simultaneous_run_of_another_configuration_is_an_error(out):
    cells, suite = [make_planned("A", "ok")], make_suite(out)
    plan = look(make_plan(cells), suite)
    run([make_planned("A", "ok", recipe={"name": "smoke", "parameters": {"epochs": 9}})], out)
    with start_workers(suite) as executor, pytest.raises(SsdBenchError, match="Another run with another configuration"):
        SuiteRun(plan, suite, executor, SilentReporter(), execute=run_fake).run()


def test_stopping_releases_the_claims_of_cells_in_progress(out):
    suite = make_suite(out, workers=2)
    plan = look(make_plan([make_planned("A", "endless"), make_planned("B", "endless")]), suite)
    executor = start_workers(suite)

    class Interrupting(SilentReporter):
        def update(self, progress):
            if len(list(out.glob("started-*"))) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SuiteRun(plan, suite, executor, Interrupting(), execute=run_fake).run()
    assert len(Claims(out / ".claims").live()) == 2
    executor.cancel()
    assert len(list(out.glob("released-*"))) == 2
    assert not list((out / ".claims").iterdir())
    assert not list(ResultStore(out).records())


def test_progress_counts_and_estimates(out):
    seen = []

    class Watching(SilentReporter):
        def finished(self, planned, outcome, progress):
            seen.append((progress.finished, progress.left, progress.seconds_left is not None, outcome.status))

    run([make_planned(dataset, "slow") for dataset in "ABC"], out, Watching())
    assert seen == [(1, 2, True, "ok"), (2, 1, True, "ok"), (3, 0, True, "ok")]


def test_the_warning_of_a_cell_is_shown(out):
    notes = Notes()
    assert run([make_planned("A", "warned"), make_planned("B", "ok")], out, notes).ok == 2
    assert [note.partition(": ")[0] for note in notes.notes] == ["Warning"] and notes.notes[0].endswith("it took all cores")
