import pytest


@pytest.fixture
def idle_parameters_pass(monkeypatch):
    """Let parameters without effect be given, to see that they have none."""
    for module in ("ssd", "kd"):
        monkeypatch.setattr(f"ssd_cli.methods.{module}.refuse_idle", lambda method, in_use: None)
