import os
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks_importable(monkeypatch):
    for folder in (BENCHMARKS, BENCHMARKS / "study"):
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
