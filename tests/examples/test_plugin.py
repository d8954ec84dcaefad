"""The example package under examples/plugin: its own tests, and a run with its files."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.helpers import ssd_bench
from tests.running.builders import write_dataset

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin"


def test_its_tests_pass(tmp_path):
    paths = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        PACKAGE,
        PACKAGE / "tests",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_run_takes_its_method_and_its_backbone(tmp_path):
    write_dataset(tmp_path / "data", "Waves")
    files = [PACKAGE / "ssd_bench_example" / f"{name}.py" for name in ("mixup", "gru")]
    plugins = [part for file in files for part in ("--plugin", str(file))]
    options = ["--dataset", "Waves", "--method", "mixup", "--backbone", "gru[width=4]", "--recipe", "smoke", "--device", "cpu"]
    done = ssd_bench(
        "run", *options, *plugins, "--data-dir", str(tmp_path / "data"), "--workers", "0", "--out", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "1 ok, 0 failed, 0 skipped" in done.stdout
