import os
from pathlib import Path

import pytest

DATA_FOLDERS = [Path(entry) for entry in os.environ.get("SSD_BENCH_DATA", "").split(os.pathsep) if entry and Path(entry).is_dir()]
"""Folders of real datasets on this machine, which only some tests use."""


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    """Simulate a machine with an empty cache and without data."""
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AEON_DATA", str(tmp_path / "aeon_data"))
    monkeypatch.delenv("SSD_BENCH_DATA", raising=False)


HEADER = "@problemName Toy\n@univariate true\n@equalLength true\n@classLabel true a b\n@data\n"
TRAIN = HEADER + "1,2,3:a\n4,5,6:b\n7,8,9:a\n"
TEST = HEADER + "1,1,1:b\n2,2,2:a\n"


@pytest.fixture
def write_problem(tmp_path):
    """Write a small problem into a data folder and return the folder."""

    def write(name: str = "Toy", train: str = TRAIN, test: str = TEST, root: Path = tmp_path / "data") -> Path:
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}_TRAIN.ts").write_text(train)
        (folder / f"{name}_TEST.ts").write_text(test)
        return root

    return write


@pytest.fixture
def files(tmp_path):
    """Write two parts and a file of subjects of a user."""
    (tmp_path / "a.ts").write_text(TRAIN)
    (tmp_path / "b.ts").write_text(TEST)
    (tmp_path / "g.csv").write_text("part,row,subject,label\ntrain,0,7,a\ntrain,1,7,b\ntest,0,9,b\ntrain,2,8,a\ntest,1,9,a\n")
    return tmp_path


@pytest.fixture
def archive(monkeypatch):
    """Start a server with Zenodo's API and WISDM, to which the environment points."""
    from .server import Archive
    from .wisdm import LONG, RECORD

    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    archive = Archive()
    archive.add(RECORD, WISDM_TRAIN=LONG, WISDM_TEST=TEST, WISDM_TRAIN_eq="never asked for")
    monkeypatch.setenv("SSD_BENCH_ZENODO", archive.url)
    yield archive
    archive.close()


@pytest.fixture
def root(tmp_path):
    """Return a data folder that does not exist yet."""
    return tmp_path / "there"
