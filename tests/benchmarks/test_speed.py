"""The speed programs run, at the smallest size; nothing is timed here."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = ("--quick", "--rounds", "1", "--backbones", "lite", "--shapes", "12x24", "--datasets", "GunPoint")


def run(program, *words, check=True):
    command = [sys.executable, str(BENCHMARKS / program), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("engine", "textbook/planned"),
        pytest.param("methods", "ssd-mid/single", marks=pytest.mark.torture),
        pytest.param("inference", "lite OSULeaf", marks=pytest.mark.torture),
        pytest.param("harness", "cell/training", marks=pytest.mark.torture),
        pytest.param("growth", "exponent", marks=pytest.mark.torture),
        ("start", "ssd-bench ls methods"),
        ("load", "first/second"),
        ("report", "one file changed/warm"),
        pytest.param("memory", "textbook/ssd-bench", marks=pytest.mark.torture),
    ],
)
def test_a_subject_writes_its_table(subject, expected, tmp_path):
    done = run("speed.py", subject, *TINY, "--out", tmp_path)
    assert expected in done.stdout
    assert done.stdout.strip().endswith((tmp_path / f"{subject}.txt").read_text().strip())


@pytest.mark.parametrize("only", ["start", pytest.param("steps,compare", marks=pytest.mark.torture)])
def test_two_checkouts_are_compared(only, tmp_path):
    done = run("speed.py", "against", BENCHMARKS.parent, *TINY, "--only", only, "--folder", tmp_path / "records")
    lines = [line.split()[:1] for line in done.stdout.splitlines()]
    for part in only.split(","):
        assert lines.count([part]) == 2  # while it runs, and at the end


def test_without_a_gpu_nothing_is_measured():
    done = run("speed.py", "gpu", *TINY, check=False)
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    assert "no device 'cuda'" in done.stderr


def test_against_needs_a_checkout():
    assert "speed.py against DIR" in run("speed.py", "against", check=False).stderr


@pytest.mark.parametrize("peers", ["textbook,tsai", pytest.param("ssd-bench,textbook,tsai", marks=pytest.mark.torture)])
def test_peers_from_start_to_table(peers, tmp_path):
    words = "--shapes 12x20 --networks lite --rounds 1 --epochs 2"
    done = run("peers.py", "--peers", peers, *words.split(), "--peers-dir", tmp_path, "--out", tmp_path / "out")
    assert "Left out: tsai: no environment" in done.stdout
    assert (tmp_path / "out" / "peers.md").read_text() == done.stdout
    assert "| 12x20 (12 × 1 × 20) | lite | 2 |" in done.stdout


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("echo no module named tsai >&2; exit 3", "it ended with status 3: no module named tsai"),
        ("exec sleep 60", "no answer within 1 s"),
    ],
)
def test_a_library_that_fails_is_left_out_with_the_reason(tmp_path, program, reason):
    python = tmp_path / "tsai" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    done = run("peers.py", "--peers", "tsai", "--shapes", "12x20", "--limit", "1", "--peers-dir", tmp_path)
    assert f"Left out: tsai: {reason}." in done.stdout


def test_an_unknown_shape_is_refused():
    done = run("peers.py", "--peers", "textbook", "--shapes", "GunPiont", check=False)
    assert "Unknown shape 'GunPiont'" in done.stderr
