import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "speed_peers.py"


@pytest.fixture
def tables():
    return importlib.import_module("speed_tables")


def measure(tables, round_, column, milliseconds, *, processes=1, threads=2, others=0.0):
    seconds = [[each / 1000 for each in milliseconds]] * processes
    return tables.Measurement(round_, "GunPoint", "inception", column, processes, threads, seconds, others)


def test_processes_add_up(tables):
    assert measure(tables, 0, "ssd-bench", [500, 400, 9000], processes=2).rate == pytest.approx(4)


def test_quotients_are_taken_within_a_round(tables):
    # The machine is ten times slower in round 1, and from the middle of round 2 on: the quotient of medians is 0.2.
    rounds = [(0, 20, 10), (1, 200, 100), (2, 20, 100)]
    results = tables.Results(
        measure(tables, number, column, [time])
        for number, slow, fast in rounds
        for column, time in (("textbook", slow), ("ssd-bench", fast))
    )
    assert results.quotient("GunPoint", "inception", ("ssd-bench", (1, 2)), ("textbook", (1, 2))) == pytest.approx(2)


def test_disturbed_rounds_are_left_out_or_marked(tables):
    disturbed = measure(tables, 0, "textbook", [900], others=0.8)
    quiet = measure(tables, 1, "textbook", [300])
    ours = measure(tables, 1, "ssd-bench", [100], others=0.8)
    page = tables.epoch_table(tables.Results([disturbed, quiet, ours]), threads=2)
    assert page.splitlines()[-1].split(" | ")[2:5] == ["~100", "300", "3.00"]


def test_the_best_peer_is_neither_ours_nor_the_textbook(tables):
    times = {"ssd-bench": 100, "textbook": 110, "sktime": 300, "aeon": 400, "aeon-bare": 250}
    page = tables.epoch_table(tables.Results(measure(tables, 0, column, [time]) for column, time in times.items()), threads=2)
    assert "2.50 (aeon-bare)" in page


def test_cells_are_compared_with_one_process_and_with_the_better_way(tables):
    measured = [
        measure(tables, 0, "ssd-bench", [100], processes=2, threads=1),
        measure(tables, 0, "sktime", [200]),
        measure(tables, 0, "sktime", [250], processes=2, threads=1),
    ]
    row = tables.cells_table(tables.Results(measured), workers=2, threads=2).splitlines()[-1]
    assert row == "| GunPoint | inception | sktime | 5.00 | 8.00 | 1.60 | 4.00 | 2.50 |"


def run(*options, check=True):
    return subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, check=check)


def test_a_run_from_start_to_table(tmp_path):
    options = "--peers ssd-bench,textbook,tsai --shapes 12x20 --networks lite --rounds 1 --epochs 2 --threads 1 --cells none"
    done = run(*options.split(), "--peers-dir", tmp_path, "--out", tmp_path / "out")
    assert "Left out: tsai: no environment" in done.stdout
    assert (tmp_path / "out" / "speed_peers.md").read_text() == done.stdout
    found = json.loads((tmp_path / "out" / "speed_peers.json").read_text())
    epochs = {one["column"]: [len(laps) for laps in one["seconds"]] for one in found["measurements"]}
    assert epochs == {"ssd-bench": [2], "textbook": [2]}
    assert {one["execution"] for one in found["measurements"]} == {"fast", ""}  # what a run plans; the textbook has no choice


def test_a_table_is_measured_in_parts(tmp_path):
    options = ("--peers", "textbook", "--networks", "lite", "--rounds", "1", "--epochs", "1", "--threads", "1", "--cells", "none")
    for shape in ("12x20", "10x24"):
        done = run(*options, "--shapes", shape, "--out", tmp_path, "--add")
    assert [line.split(" | ")[0] for line in done.stdout.splitlines() if "| lite |" in line] == [
        "| 12x20 (12 × 1 × 20)",
        "| 10x24 (10 × 1 × 24)",
    ]
    assert done.stdout.count("Python") == 2  # where each part was measured


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("echo no module named tsai >&2; exit 3", "it ended with status 3: no module named tsai"),
        ("exec sleep 60", "no answer within 1 s"),
    ],
)
def test_a_peer_that_fails_is_left_out_with_the_reason(tmp_path, program, reason):
    python = tmp_path / "tsai" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    done = run("--peers", "tsai", "--shapes", "12x20", "--cells", "none", "--limit", "1", "--peers-dir", tmp_path)
    assert f"Left out: tsai (1 × 2 threads): {reason}." in done.stdout


def test_a_misspelt_shape_is_refused():
    done = run("--shapes", "GunPiont", check=False)
    assert done.returncode == 1
    assert "Unknown shape 'GunPiont'" in done.stderr
