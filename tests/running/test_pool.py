import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.running.pool import Pool
from ssd_cli.running.worker import Settings, WorkerError
from tests.running import fakes


@pytest.fixture
def pool():
    with Pool(Settings()) as pool:
        yield pool


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def last_event(pool):
    while True:
        for event in pool.wait(1.0):
            if event.kind != "progress":
                return event


def test_one_worker_lives_for_many_tasks_and_says_what_went_wrong(pool):
    assert pool.call(fakes.add, 1, 2) == 3
    _, _, pid = pool.call(fakes.environment)
    with pytest.raises(MisuseError) as caught:
        pool.call(fakes.misuse)
    assert (caught.value.what, caught.value.expected, caught.value.remedy) == ("what", "expected", "remedy")
    with pytest.raises(WorkerError, match="KeyError") as caught:
        pool.call(fakes.surprise)
    assert "in surprise" in caught.value.trace
    assert pool.call(fakes.shout) == "shouted"
    assert pool.call(fakes.environment)[2] == pid


def test_the_threads_are_set_before_torch_is_loaded_and_the_parents_environment_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    with Pool(Settings(threads=2)) as pool:
        variables, threads, _ = pool.call(fakes.environment)
    assert set(variables.values()) == {"2"} and threads == 2
    assert os.environ["OMP_NUM_THREADS"] == "7" and "NUMBA_NUM_THREADS" not in os.environ


def test_progress_comes_throttled(pool):
    worker = pool.start(0)
    worker.hand("cell", fakes.chatter)
    events = []
    while not events or events[-1].kind != "done":
        events += pool.wait(1.0)
    told = [event.value for event in events if event.kind == "progress"]
    assert told[0] == 0 and 1 < len(told) < 100 and told == sorted(told)
    assert {event.task for event in events} == {"cell"}
    assert worker.idle


def test_a_death_is_told_with_its_cause_and_last_words(pool):
    pool.start(0).hand("cell", fakes.die, signal.SIGKILL)
    event = last_event(pool)
    assert (event.kind, event.task) == ("died", "cell")
    assert "SIGKILL" in event.value and "memory" in event.value
    assert "last words" in event.worker.log_tail
    pool.start(0).hand("cell", fakes.leave, 3)
    assert "exit code 3" in last_event(pool).value
    pool.bury(pool.workers[0])
    assert pool.call(fakes.add, 1, 1) == 2


def test_a_call_survives_one_death_and_gives_up_after_three(pool, tmp_path):
    assert pool.call(fakes.die_once, str(tmp_path / "marker")) == "second life"
    with pytest.raises(SsdBenchError, match="cannot work") as caught:
        pool.call(fakes.die, signal.SIGKILL)
    assert "last words" in caught.value.expected


def test_stopping_lets_busy_workers_give_back_what_they_hold(tmp_path):
    pool = Pool(Settings())
    pool.start(0).hand("cell", fakes.wait_in, str(tmp_path))
    pool.start(1)
    wait_for(lambda: pool.wait(0.01) or list(tmp_path.glob("started-*")))
    pids = [one.process.pid for one in pool.workers.values()]
    pool.stop()
    assert len(list(tmp_path.glob("given-back-*"))) == 1
    assert not any(map(psutil.pid_exists, pids))


def test_ctrl_c_of_the_terminal_does_not_reach_the_workers(pool, tmp_path):
    worker = pool.start(0)
    os.kill(worker.process.pid, signal.SIGINT)
    worker.hand("cell", fakes.wait_in, str(tmp_path))
    wait_for(lambda: list(tmp_path.glob("started-*")))
    os.kill(worker.process.pid, signal.SIGINT)
    time.sleep(0.2)
    assert worker.process.is_alive() and not list(tmp_path.glob("given-back-*"))


PARENT = """
import sys, time
from tests.running import fakes
from ssd_cli.running.pool import Pool
from ssd_cli.running.worker import Settings
if __name__ == "__main__":
    pool = Pool(Settings())
    pool.start(0).hand("cell", fakes.wait_in, sys.argv[1])
    pool.start(1)
    print(*[one.process.pid for one in pool.workers.values()], flush=True)
    while True:
        pool.wait(1.0)
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
