"""Results of others on the page."""

import numpy as np
import pytest

from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.external.result import External, Protocol, default_split
from ssd_cli.store.results import ResultStore
from tests.browser.test_page import REAL, agrees, column, shown, study
from tests.leaderboard.builders import Given, put


def results(resamples):
    """One table of the archive's split without Yoga, and one that is better the later the resample."""
    fixed = {name: 0.55 + 0.02 * number for number, name in enumerate(REAL) if name != "Yoga"}
    drawn = {name: 0.7 + 0.05 * float(np.mean(sorted(resamples))) for name in REAL}
    protocol = default_split if resamples == {0} else Protocol("mean of some resamples", False)
    return [
        External("Fixed (published)", "Fixed", "published", default_split, fixed, "Somebody 2020", {"Yoga": "too slow"}),
        External("drawn (tool)", "drawn", "foreign", protocol, drawn, "a folder"),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        return study(tmp_path_factory.mktemp("cells"))


def test_they_are_ranked_and_tested_as_compare_does(browser, page, folder, tmp_path):
    browser.open(page(folder, externals=Given(results)))
    python = compare([folder], "complete", externals=Given(results))
    agrees(browser, python)
    assert column(browser, 1) == python.names
    assert "Yoga" not in python.datasets
    stated = browser.texts("#leaderboard .warning")
    assert stated and stated == [text for text in python.warnings if "their difference is not one" in text]
    assert all(text in browser.texts("#leaderboard .caption")[0] for text in python.sources)
    part = tmp_path / "part"
    for path in folder.glob("seed*/*/Predictions/*/*Resample0*"):
        copy = part / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    browser.evaluate("ssdBench.chosen.resample = '0', ssdBench.update()")
    agrees(browser, compare([part], "complete", externals=Given(results)))
    assert browser.texts("#leaderboard .warning") == []


def test_a_seed_that_has_not_every_resample_stands_beside_numbers_of_its_own_resamples(browser, page, tmp_path):
    store = ResultStore(tmp_path / "cells")
    for resample, seed in ((0, 0), (2, 0), (0, 1)):
        for method in ("single", "ssd"):
            put(store, "ArrowHead", method, 0.6, resample=resample, seed=seed)
    browser.open(page(tmp_path / "cells", externals=Given(results)))
    for seed, expected in (("", 0.75), ("0", 0.75), ("1", 0.7)):
        browser.evaluate(f"ssdBench.chosen.seed = '{seed}', ssdBench.update()")
        found = browser.evaluate("ssdBench.comparison()")
        assert found["meanScores"][found["names"].index("drawn (tool)")] == pytest.approx(expected)
    browser.evaluate("ssdBench.chosen.resample = '2', ssdBench.update()")  # which seed 1 does not have
    assert browser.evaluate("ssdBench.comparison().datasets") == []


def test_warnings_are_about_what_is_compared(browser, page, folder):
    browser.open(page(folder, externals=Given(results)))
    assert browser.texts("#leaderboard .warning") != []
    for name in ("Fixed (published)", "drawn (tool)"):
        browser.evaluate(f"ssdBench.chosen.withoutMethods.add('{name}')")
    browser.evaluate("ssdBench.update()")
    assert browser.texts("#leaderboard .warning") == []


def test_what_they_report_and_lack_stands_with_its_source(browser, page, folder):
    browser.open(page(folder, externals=Given(results)))
    browser.evaluate("ssdBench.chosen.policy = 'worst-rank', ssdBench.update()")
    place = browser.texts("#datasets-table thead th").index("Fixed (published)")
    cells = {row[0]: row[place] for row in shown(browser, "datasets")}
    assert (cells["ArrowHead"], cells["Yoga"]) == ("0.5500", "none")
    assert browser.evaluate("document.querySelector('#datasets-table td [title]').title") == "too slow"
    browser.click("[data-key='dataset-ArrowHead']")
    marks = browser.evaluate("[...document.querySelectorAll('#drill .hollow title')].map((one) => one.textContent)")
    assert sorted(marks) == ["reported: 0.5500", "reported: 0.7250"]
    browser.click("[data-key='row-Fixed (published)']")
    text = browser.texts("#dialog")[0]
    for word in ("others (published)", "default split", "Somebody 2020"):
        assert word in text
    browser.press("Escape", 27)
    browser.wait("!document.getElementById('dialog').open")
