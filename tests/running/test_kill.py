"""Kill -9 with real trainings through the installed command. Eight kills here, fifty in `make torture`."""

import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ssd_cli.core.version import __version__
from tests.running.killing import SSD_BENCH, Torturer, run_undisturbed, shares, wrong_with

OUTPUT = Path(__file__).parents[2] / "results" / "torture" / "kills.txt"


def arguments(out, methods, seeds):
    chosen = [("--dataset", name) for name in ("GunPoint", "ItalyPowerDemand")] + [("--method", name) for name in methods]
    pairs = [*chosen, ("--backbone", "lite"), ("--recipe", "smoke"), ("--seeds", seeds), ("--workers", 2), ("--out", out)]
    pairs.append(("--plugin", Path(__file__).with_name("often.py")))
    return [str(SSD_BENCH), "run", *(str(part) for pair in pairs for part in pair)]


def torture(folder, methods, seeds, n_kills):
    undisturbed = folder / "undisturbed"
    seconds = run_undisturbed(arguments(undisturbed, methods, seeds))
    assert wrong_with(undisturbed, undisturbed) == []
    out = folder / "killed"
    torturer = Torturer(arguments(out, methods, seeds), out, 0, n_kills)
    torturer.n_files = Torturer([], undisturbed, 0, 0).files()
    torturer.run()
    return torturer, seconds, wrong_with(out, undisturbed)


def test_eight_kills_leave_every_cell_once_and_the_same_bits(tmp_path):
    torturer, _, problems = torture(tmp_path, ("single", "ens-avg", "ssd", "swa"), 1, 8)
    parents, workers, inside = shares(torturer.kills)
    assert problems == [] and torturer.orphans == 0
    assert len(torturer.kills) == 8 and parents >= 2 and workers >= 2 and inside >= 1
    assert {kill.files * 4 // torturer.n_files for kill in torturer.kills} >= {0, 1, 2, 3}


def test_a_training_that_was_killed_goes_on_in_the_next_run(tmp_path, monkeypatch):
    def run(out):
        command = [*arguments(out, ("ssd",), 1), "--recipe", "fast[epochs=20,student_epochs=20]"]
        del command[command.index("GunPoint") - 1 : command.index("GunPoint") + 1]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    monkeypatch.setenv("SSD_BENCH_RESUMED", str(tmp_path / "resumed"))
    assert run(tmp_path / "whole").wait() == 0 and not (tmp_path / "resumed").exists()
    for kind in ("member", "student"):  # the shared teacher's name is a hash, that of what a cell trains for itself has a number
        killed = run(tmp_path / "killed")
        pattern = "*-1.checkpoint" if kind == "student" else "*.checkpoint"
        while not list((tmp_path / "killed" / ".checkpoints").glob(pattern)):
            assert killed.poll() is None
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert run(tmp_path / "killed").wait() == 0
    assert 1 <= int((tmp_path / "resumed").read_text()) < 20
    assert wrong_with(tmp_path / "killed", tmp_path / "whole") == []


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_fifty_kills(tmp_path):
    torturer, seconds, problems = torture(tmp_path, ("single", "single-dropout", "ens-avg", "ssd", "kd", "swa"), 4, 50)
    parents, workers, inside = shares(torturer.kills)
    lines = [
        f"make torture, ssd-bench {__version__}, {datetime.now(UTC):%Y-%m-%d}: 50 times kill -9 during a run of the smoke recipe.",
        f"{len(torturer.kills)} kills: {parents} of the parent, {workers} of a worker, {inside} of all inside a write",
        "(the killed process left a temporary file). The run was started "
        f"{torturer.starts} times; undisturbed it takes {seconds:.0f} s and writes {torturer.n_files} records and networks.",
        "Afterwards: "
        + ("; ".join(problems) or "every planned cell exactly once, no half or temporary file, every network whole,"),
        ""
        if problems
        else "the same bits of probabilities and weights as the undisturbed run. "
        f"Workers that outlived their parent: {torturer.orphans}.",
        "",
        "kill  second  records and networks by then  killed  inside the writing of",
    ]
    for number, kill in enumerate(torturer.kills, start=1):
        killed = "parent" if kill.kind == "parent" else "worker"
        lines.append(f"{number:4}  {kill.seconds:6.1f}  {kill.files:28}  {killed}  {kill.inside_write}".rstrip())
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text("\n".join(lines) + "\n")
    assert problems == [] and torturer.orphans == 0
    assert len(torturer.kills) == 50 and parents >= 10 and workers >= 10 and inside >= 5
