import errno
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ssd_cli.core.claims import Claims, host

HOLD = """
import sys, time
from pathlib import Path
from ssd_cli.core.claims import Claims
claim = Claims(Path(sys.argv[1]), heartbeat_seconds=float(sys.argv[3])).take(sys.argv[2], "a cell")
print("held" if claim else "refused", flush=True)
time.sleep(60)
"""


def holder_process(folder, key, heartbeat_seconds=30.0):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), key, str(heartbeat_seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "held"
    return process


def stop(process):
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.communicate()


def hammer(folder, key, barrier, queue):
    claims = Claims(folder)
    barrier.wait()
    claim = claims.take(key)
    queue.put((os.getpid(), claim is not None))
    barrier.wait()


def count_up(folder, key, rounds, counter):
    claims = Claims(folder)
    done = 0
    while done < rounds:
        claim = claims.take(key)
        if claim is None:
            continue
        with claim:
            value = int(counter.read_text())
            time.sleep(0.001)
            counter.write_text(str(value + 1))
        done += 1


def test_a_claim_is_exclusive_until_released(tmp_path):
    claims = Claims(tmp_path)
    claim = claims.take("cell", "GunPoint")
    assert claim is not None
    assert Claims(tmp_path).take("cell") is None
    assert claims.holder("cell").pid == os.getpid()
    assert [(key, owner.what) for key, owner in claims.live()] == [("cell", "GunPoint")]
    claim.release()
    assert claims.holder("cell") is None
    assert list(tmp_path.iterdir()) == []
    with claims.take("cell"):
        assert claims.take("other") is not None


def test_only_the_claim_of_a_killed_process_is_taken_over(tmp_path):
    process = holder_process(tmp_path, "cell")
    try:
        claims = Claims(tmp_path)
        assert claims.take("cell") is None
        assert claims.clean() == 0
    finally:
        process.kill()
        process.wait()
    assert claims.holder("cell") is None
    claim = claims.take("cell")
    assert claim is not None
    assert claims.take("cell") is None
    claim.release()
    assert list(tmp_path.iterdir()) == []


def test_a_zombie_holds_nothing(tmp_path):
    process = holder_process(tmp_path, "cell")
    process.kill()
    deadline = time.monotonic() + 10
    while Claims(tmp_path).holder("cell") is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Claims(tmp_path).holder("cell") is None
    process.wait()


def test_clean_removes_claims_of_dead_processes_only(tmp_path):
    dead, alive = holder_process(tmp_path, "dead"), holder_process(tmp_path, "alive")
    dead.kill()
    dead.wait()
    try:
        assert Claims(tmp_path).clean() == 1
        assert [path.name for path in tmp_path.iterdir()] == ["alive.0.claim"]
    finally:
        stop(alive)


def test_a_silent_claim_of_another_host_is_taken_over_after_the_stale_time_only(tmp_path):
    file = tmp_path / "cell.0.claim"
    file.write_text('{"host": "elsewhere", "pid": 1, "started": 1.0, "what": "x", "token": "t"}')
    os.utime(file, (time.time() - 200, time.time() - 200))
    assert Claims(tmp_path).take("cell") is None
    os.utime(file, (time.time() - 400, time.time() - 400))
    assert Claims(tmp_path).take("cell") is not None


def test_a_stopped_process_loses_its_claim_and_a_beating_one_keeps_it(tmp_path):
    process = holder_process(tmp_path, "cell", heartbeat_seconds=0.05)
    claims = Claims(tmp_path, stale_seconds=1.0)
    try:
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            assert claims.take("cell") is None
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        taken, deadline = None, time.monotonic() + 20
        while taken is None and time.monotonic() < deadline:
            taken = claims.take("cell")
            time.sleep(0.05)
        assert taken is not None
    finally:
        stop(process)


def test_a_lost_claim_does_not_release_its_successor(tmp_path):
    claims = Claims(tmp_path, heartbeat_seconds=1000)
    lost = claims.take("cell")
    os.utime(lost.path, (0, 0))
    successor = claims.take("cell")
    assert successor is not None
    successor.release()
    again = claims.take("cell")
    assert again.path == lost.path
    lost.release()
    assert claims.take("cell") is None


@pytest.mark.parametrize("seconds", [3600, -350, -7200])
def test_a_local_clock_other_than_the_file_systems_changes_no_claim(tmp_path, monkeypatch, seconds):
    file = tmp_path / "cell.0.claim"
    file.write_text('{"host": "elsewhere", "pid": 1, "started": 1.0, "what": "x", "token": "t"}')
    now = time.time
    monkeypatch.setattr("ssd_cli.core.claims.time.time", lambda: now() + seconds)
    claims = Claims(tmp_path)
    assert claims.take("cell") is None
    os.utime(file, (now() - 400, now() - 400))
    assert claims.take("cell") is not None


def test_the_clock_of_the_file_system_is_read_rarely(tmp_path, monkeypatch):
    asked, touch = [], Path.touch
    monkeypatch.setattr(Path, "touch", lambda path: asked.append(path) or touch(path))
    claims = Claims(tmp_path)
    with claims.take("cell"):
        assert all(claims.holder("cell") is not None for _ in range(100))
    assert len(asked) == 1


def test_setting_the_clock_ends_no_process(tmp_path, monkeypatch):
    """psutil derives the start of a process from the boot time by the present clock."""
    process = holder_process(tmp_path, "cell")
    try:
        monkeypatch.setattr(psutil.Process, "create_time", lambda process: 1.0)
        assert sys.platform != "linux" or Claims(tmp_path).take("cell") is None
    finally:
        stop(process)


def test_two_machines_of_one_name_are_two(tmp_path):
    """A claim of a machine with the same image must not be judged by the processes of this one."""
    alike = {"host": re.sub("/.*/", "/another-boot/", host()), "pid": 2**22 + 1, "started": 1.0, "what": "x", "token": "t"}
    (tmp_path / "cell.0.claim").write_text(json.dumps(alike))
    assert sys.platform != "linux" or Claims(tmp_path).take("cell") is None
    (tmp_path / "cell.0.claim").write_text(json.dumps(alike | {"host": host()}))
    assert Claims(tmp_path).take("cell") is not None


def test_a_claim_deleted_on_a_network_file_system_during_the_read_is_none(tmp_path, monkeypatch):
    (tmp_path / "cell.0.claim").write_text("{}")

    def stale(self, *arguments):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "open", stale)
    assert Claims(tmp_path).holder("cell") is None


@pytest.mark.parametrize(("content", "age", "taken"), [("", 0, False), ("", 60, True), ("{}", 60, True), ('{"host', 60, True)])
def test_a_claim_without_content_is_taken_over_after_seconds(tmp_path, content, age, taken):
    file = tmp_path / "cell.0.claim"
    file.write_text(content)
    os.utime(file, (time.time() - age, time.time() - age))
    assert (Claims(tmp_path).take("cell") is not None) == taken


def test_of_many_processes_that_take_over_one_stale_claim_exactly_one_wins(tmp_path):
    context = multiprocessing.get_context("fork")
    dead = '{"host": "elsewhere", "pid": 1, "started": 1.0, "what": "x", "token": "t"}'
    for attempt in range(25):
        file = tmp_path / f"cell{attempt}.{attempt % 3}.claim"
        file.write_text(dead)
        os.utime(file, (0, 0))
        barrier, queue = context.Barrier(12), context.Queue()
        workers = [
            context.Process(target=hammer, args=(tmp_path, f"cell{attempt}", barrier, queue), daemon=True) for _ in range(12)
        ]
        for worker in workers:
            worker.start()
        wins = [queue.get(timeout=30) for _ in workers]
        for worker in workers:
            worker.join()
        assert sum(won for _, won in wins) == 1


def test_claims_exclude_while_they_are_taken_released_and_abandoned(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    folder = tmp_path / "claims"
    folder.mkdir()
    stale = folder / "cell.7.claim"
    stale.write_text("")
    os.utime(stale, (0, 0))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=count_up, args=(folder, "cell", 40, counter), daemon=True) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert counter.read_text() == "240"
    assert list(folder.iterdir()) == []
