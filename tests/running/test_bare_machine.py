"""A machine without aeon and sktime: data as ``.npz``, and nothing on the way to a record imports either."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ssd_cli.store.results import ResultStore
from tests.cli.helpers import ssd_bench
from tests.small import waves


@pytest.fixture
def bare(tmp_path):
    """An environment in which every process, workers included, fails to import aeon and sktime."""
    folder = tmp_path / "site"
    folder.mkdir()
    lines = ["import sys", "for name in ('aeon', 'sktime'):", "    sys.modules[name] = None"]
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    return {"PYTHONPATH": str(folder), "AEON_DATA": str(tmp_path / "nothing"), "SSD_BENCH_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data" / "Waves"
    folder.mkdir(parents=True)
    for seed, part in enumerate(("TRAIN", "TEST")):
        X, y = waves(12, seed)
        np.savez(folder / f"Waves_{part}.npz", X=X, y=y)
    return folder.parent


def run(data, bare, out, *options):
    arguments = ["--dataset", "Waves", "--backbone", "lite", "--recipe", "smoke", "--data-dir", data, "--device", "cpu"]
    return ssd_bench("run", *arguments, "--workers", 1, "--no-download", "--out", out, *options, **bare)


@pytest.mark.parametrize(
    ("method", "engine", "execution"), [("ssd[representations=3]", "auto", "fast"), ("ens-avg[members=2]", "graph", "graph")]
)
def test_a_smoke_cell_in_a_worker(data, bare, tmp_path, method, engine, execution):
    out = tmp_path / "out"
    done = run(data, bare, out, "--method", method, "--engine", engine)
    assert done.returncode == 0, done.stderr
    (record,) = ResultStore(out).records()
    assert record.status == "ok", record.reason
    assert record.spec.execution == execution


def test_the_environment_is_bare(bare):
    done = subprocess.run([sys.executable, "-c", "import aeon"], env=os.environ | bare, capture_output=True, text=True, check=False)
    assert "aeon" in done.stderr
    assert "ModuleNotFoundError" in done.stderr
