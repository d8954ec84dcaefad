import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.running.executors.base import Task, WorkerSettings, call, call_each
from ssd_cli.running.executors.processes import ProcessExecutor
from tests.running import fakes


@pytest.fixture
def executor():
    with ProcessExecutor(WorkerSettings(n_workers=2)) as executor:
        yield executor


def submit(executor, function, *arguments):
    executor.submit(Task("cell", function, arguments))


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def last_event(executor):
    while True:
        for event in executor.events(1.0):
            if event.kind != "progress":
                return event


def collect(executor, number):
    events = []
    while len(events) < number:
        events += [event for event in executor.events(1.0) if event.kind != "progress"]
    return events


def test_one_worker_computes_many_tasks_and_survives_their_errors(executor):
    _, _, pid = call(executor, fakes.environment)
    with pytest.raises(SsdBenchError):
        call(executor, fakes.surprise, None)
    assert call(executor, fakes.shout) == "shouted"
    assert call(executor, fakes.environment)[2] == pid


def test_the_threads_are_set_before_torch_is_loaded_and_the_parents_environment_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    with ProcessExecutor(WorkerSettings(threads=2)) as executor:
        variables, threads, _ = call(executor, fakes.environment)
    assert set(variables.values()) == {"2"} and threads == 2
    assert os.environ["OMP_NUM_THREADS"] == "7" and "NUMBA_NUM_THREADS" not in os.environ


def test_progress_is_throttled(executor):
    submit(executor, fakes.chatter, 1000)
    events = []
    while not events or events[-1].kind != "done":
        events += executor.events(1.0)
    reported = [event.value for event in events if event.kind == "progress"]
    assert reported[0] == 0 and 1 < len(reported) < 100 and reported == sorted(reported)
    assert {event.task.key for event in events} == {"cell"}


def test_tasks_of_one_group_are_sent_to_one_worker(executor):
    first, second = (Task(name, fakes.process, (), name) for name in "AB")
    pids = {}
    for tasks in ((first, second), (second, first)):
        for task in tasks:
            executor.submit(task)
        for event in collect(executor, 2):
            pids.setdefault(event.task.group, set()).add(event.value)
    assert [len(found) for found in pids.values()] == [1, 1] and pids["A"] != pids["B"]


def test_a_death_is_reported_with_its_cause_and_the_last_output(executor):
    submit(executor, fakes.die, signal.SIGKILL)
    event = last_event(executor)
    assert (event.kind, event.task.key, event.started) == ("died", "cell", True)
    assert "SIGKILL" in event.value and "memory" in event.value
    assert "last words" in event.log
    submit(executor, fakes.leave, 3)
    assert "exit code 3" in last_event(executor).value
    assert call(executor, fakes.add, 1, 1) == 2


def test_a_call_survives_one_death_and_gives_up_after_three(executor, tmp_path):
    assert call(executor, fakes.die_once, str(tmp_path / "marker")) == "second life"
    with pytest.raises(SsdBenchError, match="cannot work") as caught:
        call(executor, fakes.die, signal.SIGKILL)
    assert "last words" in caught.value.expected


def test_of_several_workers_with_one_task_a_death_costs_one_result(executor, tmp_path):
    assert call_each(executor, 2, fakes.first_dies, str(tmp_path / "marker")) == ["lives"]
    assert call_each(executor, 2, fakes.add, 2, 2) == [4, 4]


def test_cancelling_lets_busy_workers_release_what_they_hold(tmp_path):
    executor = ProcessExecutor(WorkerSettings(n_workers=2))
    submit(executor, fakes.wait_in, str(tmp_path))
    submit(executor, fakes.add, 1, 1)
    wait_for(lambda: executor.events(0.01) or list(tmp_path.glob("started-*")))
    wait_for(lambda: list(tmp_path.glob("started-*")))
    pids = [one.process.pid for one in executor.workers]
    executor.cancel()
    assert len(pids) == 2 and len(list(tmp_path.glob("released-*"))) == 1
    assert not any(map(psutil.pid_exists, pids))


def test_ctrl_c_of_the_terminal_does_not_reach_the_workers(executor, tmp_path):
    submit(executor, fakes.wait_in, str(tmp_path))
    (worker,) = executor.workers
    os.kill(worker.process.pid, signal.SIGINT)
    wait_for(lambda: list(tmp_path.glob("started-*")))
    os.kill(worker.process.pid, signal.SIGINT)
    time.sleep(0.2)
    assert worker.process.is_alive() and not list(tmp_path.glob("released-*"))


PARENT = """
import sys, time
from tests.running import fakes
from ssd_cli.running.executors.base import Task, WorkerSettings
from ssd_cli.running.executors.processes import ProcessExecutor
if __name__ == "__main__":
    executor = ProcessExecutor(WorkerSettings(n_workers=2))
    executor.submit(Task("cell", fakes.wait_in, (sys.argv[1],)))
    executor.submit(Task("other", fakes.add, (1, 1)))
    print(*[one.process.pid for one in executor.workers], flush=True)
    while True:
        executor.events(1.0)
"""


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    wait_for(lambda: list(tmp_path.glob("started-*")))
    parent.kill()
    parent.communicate()
    wait_for(lambda: not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids), 15)
