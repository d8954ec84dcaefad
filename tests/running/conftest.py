import pytest


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch):
    """No data and no cache but the test's own."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("SSD_BENCH_CACHE", str(base / "cache"))
    monkeypatch.setenv("AEON_DATA", str(base / "aeon"))
    monkeypatch.delenv("SSD_BENCH_DATA", raising=False)
