import os

import pytest


@pytest.fixture(autouse=True)
def unsynchronised(monkeypatch):
    """Hundreds of records a test: whether they survive a power cut is tested in the store."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
