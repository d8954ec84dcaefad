from functools import partial
from threading import Thread

from ssd_cli.cli.report import progress
from ssd_cli.leaderboard.page.server import open_server
from tests.leaderboard.builders import fill


def test_the_page_follows_a_run(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("ssd_cli.leaderboard.page.server.REST", 0.0)
    with open_server([tmp_path], 0, "Live", partial(progress, [tmp_path])) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        assert "holds no results" in browser.texts("#messages")[0]
        fill(tmp_path, {"single": [0.5, 0.6], "ssd": [0.7, 0.8]})
        browser.wait("ssdBench.data() && ssdBench.comparison().methods.length === 2")
        assert browser.texts("#messages") == [""]
        assert "4 of 4 cells done" in browser.texts("#progress")[0]
        browser.click("#filters input[type=search]")
        browser.type("D0")
        fill(tmp_path, {"kd": [0.9, 0.9]})
        browser.wait("ssdBench.comparison().methods.length === 3")
        assert browser.texts("#leaderboard-table tbody th") == ["kd", "ssd", "single"]
        assert browser.evaluate("document.activeElement.value") == "D0"  # who types is not disturbed
        browser.evaluate("window.stop()")
        server.shutdown()
        thread.join()
    browser.call("Page.navigate", url="about:blank")
