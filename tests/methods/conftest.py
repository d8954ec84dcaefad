import pytest


@pytest.fixture
def idle_parameters_pass(monkeypatch):
    """Let parameters without effect be given, to see that they have none."""
    monkeypatch.setattr("ssd_cli.methods.base.refuse_idle", lambda method, in_use: None)
