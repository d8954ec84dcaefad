"""What a run says of the time that is left."""

import pytest

from ssd_cli.running.job import Outcome
from ssd_cli.running.progress import RunningCell, RunProgress
from tests.running.builders import make_planned


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("ssd_cli.running.progress.time.monotonic", lambda: now[0])
    return now


def progress_of(costs, n_workers=1):
    cells = [make_planned(f"D{i}", cost=cost) for i, cost in enumerate(costs)]
    return RunProgress(len(cells), 0, sum(costs), n_workers=n_workers), cells


def test_seconds_left_fall_while_the_last_cell_is_computed(clock):
    progress, (first, second) = progress_of([10.0, 20.0])
    progress.current[0] = RunningCell(first, since=clock[0])
    clock[0] += 30
    assert progress.seconds_left is None  # nothing to go by
    del progress.current[0]
    progress.count(first, Outcome("ok", seconds=30.0))
    progress.current[0] = RunningCell(second, since=clock[0])
    assert progress.seconds_left == pytest.approx(60)
    clock[0] += 45
    assert progress.seconds_left == pytest.approx(15)
    clock[0] += 55  # forty seconds late
    assert progress.seconds_left == pytest.approx(10)


def test_before_the_first_cell_is_finished_the_measured_rates_are_used(clock):
    progress, (first, _) = progress_of([10.0, 20.0])
    progress.expected_pace = 1.0
    progress.current[0] = RunningCell(first, since=clock[0])
    clock[0] += 4
    assert progress.seconds_left == pytest.approx(26)
    del progress.current[0]
    progress.count(first, Outcome("ok", seconds=20.0))
    assert progress.seconds_left == pytest.approx(40)  # what was measured since counts more


def test_waiting_cells_are_shared_by_the_workers_and_by_other_runs(clock):
    progress, cells = progress_of([10.0] * 8, n_workers=2)
    progress.count(cells[0], Outcome("ok", seconds=20.0))
    progress.count(cells[1], Outcome("ok", seconds=20.0))
    progress.current |= {0: RunningCell(cells[2], since=clock[0]), 1: RunningCell(cells[3], since=clock[0])}
    assert progress.seconds_left == pytest.approx(6 * 20 / 2)
    progress.count(cells[4], Outcome("ok"))  # another run's
    assert progress.seconds_left == pytest.approx(5 * 20 / (2 * 1.5))


def test_seconds_left_are_at_least_those_of_the_longest_cell(clock):
    progress, cells = progress_of([1.0, 1.0, 50.0], n_workers=2)
    progress.count(cells[0], Outcome("ok", seconds=2.0))
    progress.current |= {0: RunningCell(cells[1], since=clock[0]), 1: RunningCell(cells[2], since=clock[0])}
    assert progress.seconds_left == pytest.approx(100)


def test_cells_that_were_skipped_or_failed_at_once_do_not_change_the_pace(clock):
    progress, cells = progress_of([5.0] * 4)
    progress.count(cells[0], Outcome("skipped", "one class", seconds=0.01))
    progress.count(cells[1], Outcome("failed", "it rained", seconds=0.01))
    assert progress.seconds_left is None
    progress.count(cells[2], Outcome("ok", seconds=10.0))
    assert progress.seconds_left == pytest.approx(10)


def test_seconds_left_are_unknown_for_the_cells_of_other_runs(clock):
    progress, cells = progress_of([5.0, 5.0])
    progress.count(cells[0], Outcome("ok", seconds=10.0))
    progress.elsewhere = 1
    assert progress.seconds_left is None
