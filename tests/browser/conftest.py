import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from ssd_cli.leaderboard.external.sources import NONE
from tests.browser import chromium


@pytest.fixture(scope="session")
def chrome():
    if chromium.find() is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium, or name one in $CHROMIUM)")
    if importlib.util.find_spec("websocket") is None:
        pytest.skip("websocket-client is not installed")
    profile = tempfile.mkdtemp(prefix="ssd-bench-chromium-")
    browser = chromium.Browser(profile)
    yield browser
    browser.close()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def browser(chrome):
    """On a wide light screen; whatever a console would show in red or yellow fails the test, and so does a request to anywhere."""
    chrome.look(1280)
    yield chrome
    chrome.evaluate("1")
    assert chrome.problems == []


@pytest.fixture
def page(tmp_path):
    """Writes the page of a folder and returns its address."""
    from ssd_cli.leaderboard.page.assemble import assemble
    from ssd_cli.leaderboard.page.data import payload

    def make(*roots, title="A study", externals=NONE):
        path = Path(tmp_path) / "report.html"
        path.write_bytes(assemble(title, payload(list(roots), externals=externals)))
        return path.as_uri()

    return make


@pytest.fixture(autouse=True)
def unsynchronised(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
