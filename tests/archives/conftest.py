from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    """A machine with an empty cache and no data of its own."""
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
