import json

import numpy as np
import pytest

from ssd_cli.leaderboard.compare import compare
from ssd_cli.statistics.friedman import friedman as friedman_test
from ssd_cli.statistics.tests import judge
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import fill, put
from tests.store.builders import make_cell, make_predictions, make_record

RNG = np.random.default_rng(0)
METHODS = ("single", "ssd[representations=10]", "ens-avg", "kd")
REAL = (
    "ArrowHead",
    "BasicMotions",
    "Coffee",
    "ECG200",
    "GunPoint",
    "ItalyPowerDemand",
    "Lightning2",
    "Meat",
    "Plane",
    "Wine",
    "Yoga",
    "Trace",
)
CURVE = {"label": "member 0", "epochs": 90, "curve": {"loss": np.exp(-np.linspace(0, 4, 90)).tolist()}}
PROVENANCE = {
    "command": "ssd-bench run suite.yaml",
    "revision": "abc123",
    "versions": {"torch": "2.13"},
    "finished": "2026-11-21T02:39:59+00:00",
}


def study(root, runs=((0, 0), (1, 0), (0, 1), (1, 1))):
    """Four methods on twelve datasets of the catalogue, two resamples × two seeds, with ties; one cell failed."""
    store = ResultStore(root)
    for number, method in enumerate(METHODS):
        for dataset in REAL:
            for resample, seed in runs:
                failed = (method, dataset, resample, seed) == ("kd", "Wine", 1, 1)
                accuracy = None if failed else round(float(np.clip(0.6 + 0.06 * number + RNG.normal(0, 0.05), 0, 1)), 2)
                macs, seconds = (1e6, 1e6, 5e6, 1.005e6)[number], RNG.uniform(1, 9)
                costs = {
                    "latency_ms_p50": 1.0 + number,
                    "macs": macs,
                    "fit_seconds_alone": seconds,
                    "fit_seconds_spent": seconds / 2,
                }
                put(
                    store,
                    dataset,
                    method,
                    accuracy,
                    resample=resample,
                    seed=seed,
                    provenance=PROVENANCE,
                    curves=[CURVE],
                    costs=costs,
                )
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        return study(tmp_path_factory.mktemp("cells"))


def shown(browser, part="leaderboard"):
    """The rows of a table as lists of texts."""
    script = (
        f"[...document.querySelectorAll('#{part}-table tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return browser.evaluate(script)


def column(browser, number, part="leaderboard"):
    return [row[number] for row in shown(browser, part)]


def recomputed(browser):
    parts = ["names", "averageRanks", "meanScores", "ranks", "contests", "tests", "friedman", "cliques", "letters", "datasets"]
    page = browser.evaluate(f"(({{{','.join(parts)}}}) => ({{{','.join(parts)}}}))(ssdBench.comparison())")
    names = browser.evaluate("ssdBench.data().datasets.map((dataset) => dataset.name)")
    return page | {"datasets": [names[d] for d in page["datasets"]]}


def agrees(browser, python):
    page = recomputed(browser)
    assert page["names"] == python.names
    assert page["datasets"] == list(python.datasets)
    assert page["ranks"] == python.ranks.tolist()
    np.testing.assert_allclose(page["averageRanks"], python.average_ranks, atol=1e-12)
    np.testing.assert_allclose(page["meanScores"], python.mean_scores, atol=1e-12)
    np.testing.assert_array_equal(page["contests"]["wins"], python.contests.wins)
    np.testing.assert_allclose(page["tests"]["p"], python.tests.p, rtol=1e-9)
    np.testing.assert_allclose(page["tests"]["adjusted"], python.tests.adjusted, rtol=1e-9)
    assert page["tests"]["different"] == python.tests.different.tolist()
    assert page["friedman"]["p"] == pytest.approx(python.friedman.p, rel=1e-9)
    assert page["friedman"]["statistic"] == pytest.approx(python.friedman.statistic, rel=1e-9)
    assert list(map(tuple, page["cliques"])) == [tuple(run) for run in python.cliques]
    assert page["letters"] == python.letters


def test_it_opens_without_a_network_and_shows_what_python_computes(browser, page, folder):
    address = page(folder)
    browser.open(address)
    assert browser.requests == [address]
    python = compare([folder], "complete")
    agrees(browser, python)
    assert column(browser, 1) == python.names
    assert column(browser, 2) == [f"{rank:.3f}" for rank in python.average_ranks]
    assert column(browser, 3) == [f"{mean:.4f}" for mean in python.mean_scores]
    assert "11 datasets of 12 and 4 methods of 4 are compared; 1 left out" in browser.texts("#summary")[0]
    assert "two-sided, zeros by Pratt" in browser.texts("#leaderboard .caption")[0]


@pytest.mark.parametrize("policy", ["complete", "worst-rank"])
def test_costs_and_the_rank_at_matched_costs_are_those_of_python(browser, page, folder, policy):
    browser.open(page(folder))
    browser.evaluate(f"ssdBench.chosen.policy = '{policy}', ssdBench.update()")
    found = {column["key"]: column["values"] for column in browser.evaluate("ssdBench.besides()")}
    expected = compare([folder], policy).summary.values
    assert np.isnan(expected["average_rank_at_matched_inference"]).sum() == 1
    assert set(expected) - set(found) == {"accuracy"}
    for name, values in found.items():
        np.testing.assert_allclose(np.array(values, dtype=float), expected[name], rtol=1e-6, err_msg=name)


def test_every_column_is_of_the_chosen_resample(browser, page, tmp_path):
    """An easy and a hard resample: the student is two points above its teacher in both, and nothing is averaged over the other."""
    store, (y, p) = ResultStore(tmp_path / "cells"), make_predictions()
    for resample, accuracy in enumerate((0.9, 0.6)):
        for method, costs in (("single", {"fit_seconds_alone": 10.0}), ("kd", {"fit_seconds_alone": 20.0 + 10 * resample})):
            scores = {"accuracy": accuracy, "teacher_accuracy": accuracy - 0.02, "nll": 1 - accuracy}
            store.put(make_record(make_cell("D", method, resample=resample), scores=scores, costs=costs), y, p)
    browser.open(page(tmp_path / "cells"))
    expected = {"": (0.02, 0.25, 2.5), "0": (0.02, 0.1, 2.0), "1": (0.02, 0.4, 3.0)}
    for resample, (gap, nll, times_single) in expected.items():
        browser.evaluate(f"ssdBench.chosen.resample = '{resample}', ssdBench.update()")
        names = browser.evaluate("ssdBench.comparison().names")
        found = {column["key"]: column["values"][names.index("kd")] for column in browser.evaluate("ssdBench.besides()")}
        assert found["gap"] == pytest.approx(gap, abs=1e-6)
        assert found["nll"] == pytest.approx(nll, abs=1e-6)
        assert found["fit_alone_relative_to_single"] == pytest.approx(times_single, rel=1e-6)


def test_the_rank_at_matched_costs_is_within_a_backbone_as_in_python(browser, page, tmp_path):
    store = ResultStore(tmp_path / "cells")
    for number, (backbone, macs) in enumerate((("lite", 1e6), ("inception", 4e7))):
        for method, better in (("single", 0.0), ("kd", 0.1), ("ens-avg", 0.2)):
            costs = {"macs": macs * (5 if method == "ens-avg" else 1)}
            put(store, "D", method, 0.3 + 0.4 * number + better, backbone=backbone, costs=costs)
    browser.open(page(tmp_path / "cells"))
    found = {column["key"]: column["values"] for column in browser.evaluate("ssdBench.besides()")}
    python = compare([tmp_path / "cells"])
    assert browser.evaluate("ssdBench.comparison().names") == python.names
    np.testing.assert_array_equal(
        np.array(found["average_rank_at_matched_inference"], float), python.summary.values["average_rank_at_matched_inference"]
    )
    assert dict(zip(python.names, python.summary.values["average_rank_at_matched_inference"], strict=True))["kd@lite"] == 1


def test_times_of_another_device_are_not_divided(browser, page, tmp_path):
    """Resample 0 of kd ran on a GPU, resample 1 on the CPU as all of single did."""
    store = ResultStore(tmp_path / "cells")
    for method, devices in (("single", ("cpu", "cpu")), ("kd", ("cuda", "cpu"))):
        for resample, device in enumerate(devices):
            costs = {"fit_seconds_alone": 10.0, "macs": 1e6}
            put(store, "D", method, 0.5, resample=resample, identity={"device": device}, costs=costs)
    browser.open(page(tmp_path / "cells"))
    assert "cpu (kd, single); cuda (kd)" in browser.texts("#messages .warning")[0]
    for resample, expected in (("", None), ("0", None), ("1", 1.0)):
        browser.evaluate(f"ssdBench.chosen.resample = '{resample}', ssdBench.update()")
        names = browser.evaluate("ssdBench.comparison().names")
        found = {column["key"]: column["values"][names.index("kd")] for column in browser.evaluate("ssdBench.besides()")}
        assert found["inference_relative_to_single"] == 1.0
        assert found["fit_alone_relative_to_single"] == expected
        browser.evaluate("ssdBench.chosen.cost = 'fit_seconds_alone', ssdBench.update()")
        assert ("No front is drawn" in browser.texts("#costs")[0]) == (expected is None)
        browser.evaluate("ssdBench.chosen.cost = 'macs', ssdBench.update()")
        assert "On the front: " in browser.texts("#costs")[0]


def test_costs_stand_against_accuracies_of_the_same_datasets(browser, page, tmp_path):
    """b lacks the hard dataset: its mean is the highest, and on the others single is better and cheaper."""
    store = ResultStore(tmp_path / "cells")
    for method, macs, accuracies in (("single", 1e6, (0.9, 0.92, 0.4)), ("b", 2e6, (0.88, 0.9))):
        for number, accuracy in enumerate(accuracies):
            put(store, f"D{number}", method, accuracy, costs={"macs": macs})
    browser.open(page(tmp_path / "cells"))
    browser.evaluate("ssdBench.chosen.policy = 'worst-rank', ssdBench.chosen.cost = 'macs', ssdBench.update()")
    python = compare([tmp_path / "cells"], "worst-rank")
    assert dict(zip(python.names, python.summary.pareto_inference.tolist(), strict=True)) == {"single": True, "b": False}
    assert "On the front: single (1 M, 0.9100)." in browser.texts("#costs")[0]


def test_the_other_rule_for_missing_results_is_recomputed_too(browser, page, folder):
    browser.open(page(folder))
    assert "Wine" not in recomputed(browser)["datasets"]
    browser.evaluate("ssdBench.chosen.policy = 'worst-rank', ssdBench.update()")
    python = compare([folder], "worst-rank")
    assert "Wine" in python.datasets
    agrees(browser, python)


def test_ranks_of_chosen_methods_and_datasets_are_those_of_a_study_of_these_alone(browser, page, folder, tmp_path):
    browser.open(page(folder))
    browser.click("#filters input[data-key='Methods-kd']")
    browser.click("#filters input[data-key='n_train-1']")
    browser.type("100")
    browser.wait("ssdBench.comparison().datasets.length < 11")
    part = tmp_path / "part"
    small = {"ArrowHead", "BasicMotions", "Coffee", "ECG200", "GunPoint", "ItalyPowerDemand", "Lightning2", "Meat", "Wine", "Trace"}
    for path in folder.glob("seed*/*/Predictions/*/*"):
        if not path.parts[-4].startswith("kd@") and path.parent.name in small:
            copy = part / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    python = compare([part], "complete")
    assert (len(python.names), set(python.datasets)) == (3, small)
    agrees(browser, python)


@pytest.mark.parametrize(("n", "decimals"), [(6, 6), (12, 1), (40, 0), (50, 6), (51, 6), (70, 0), (112, 2)])
def test_the_statistics_in_the_page_equal_the_ones_in_python(browser, page, folder, n, decimals):
    if "report.html" not in browser.evaluate("location.href"):
        browser.open(page(folder))
    scores = np.round(np.random.default_rng(n).normal(0, 1, (n, 7)) + np.linspace(0, 0.8, 7), decimals)
    scores[:, 3] = scores[:, 2]
    scores[:, 5] = scores[:, 4] + 1
    script = "JSON.stringify(((s) => [ssdBench.comparePairs(s, 7, 0.05), ssdBench.friedman(ssdBench.rankScores(s), 7)])"
    pairs, friedman = json.loads(browser.evaluate(f"{script}({json.dumps(scores.tolist())}))"))
    python = judge(scores).tests
    np.testing.assert_allclose(pairs["p"], python.p, rtol=1e-9)
    np.testing.assert_allclose(pairs["adjusted"], python.adjusted, rtol=1e-9)
    assert pairs["different"] == python.different.tolist()
    assert pairs["nExact"] == np.triu(python.exact, k=1).sum()
    assert (pairs["needed"], pairs["enough"]) == (python.needed, python.enough)
    assert friedman["p"] == pytest.approx(friedman_test(scores).p, rel=1e-9)


@pytest.mark.parametrize("degrees", [1, 2, 3, 6, 19])
def test_the_tail_of_chi_squared_is_scipys(browser, page, folder, degrees):
    from scipy.special import chdtrc

    if "report.html" not in browser.evaluate("location.href"):
        browser.open(page(folder))
    values = [1e-6, 0.3, 1, 4, 11.07, 60, 400]
    found = browser.evaluate(f"{values}.map((x) => ssdBench.chiSquaredAbove(x, {degrees}))")
    np.testing.assert_allclose(found, chdtrc(degrees, values), rtol=1e-10)


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_round(browser, page, folder):
    browser.open(page(folder))
    browser.click("[data-key='leaderboard-method']")
    assert column(browser, 1) == sorted(METHODS)
    browser.click("[data-key='leaderboard-method']")
    assert column(browser, 1) == sorted(METHODS, reverse=True)
    assert browser.evaluate("document.querySelector('[data-key=leaderboard-method]').closest('th').ariaSort") == "descending"
    browser.click("[data-key='leaderboard-accuracy']")
    means = [float(text) for text in column(browser, 3)]
    assert means == sorted(means, reverse=True)


def test_filters_by_name_archive_type_and_size(browser, page, folder):
    browser.open(page(folder))
    browser.click("#filters input[type=search]")
    browser.type("gun")
    browser.wait("ssdBench.comparison().datasets.length === 1")
    assert column(browser, 0, "datasets") == ["GunPoint"]
    assert "too few" in browser.texts("#leaderboard .warning")[0]
    browser.click("[data-key=reset]")
    browser.wait("ssdBench.comparison().datasets.length === 11")
    browser.evaluate("ssdBench.chosen.archive = 'uea', ssdBench.update()")
    assert column(browser, 0, "datasets") == ["BasicMotions"]
    browser.evaluate("ssdBench.chosen.archive = '', ssdBench.chosen.type = 'Image', ssdBench.update()")
    assert column(browser, 0, "datasets") == ["ArrowHead", "Yoga"]


def test_a_dataset_opens_its_seeds_curves_cells_and_their_provenance(browser, page, folder):
    browser.open(page(folder))
    browser.click("[data-key='dataset-GunPoint']")
    assert browser.texts("#drill-title") == ["GunPoint"]
    assert "50 training cases" in browser.texts("#drill > p")[0]
    assert browser.evaluate("document.querySelectorAll('#drill [data-cell]').length") == 4 * 4
    assert len(browser.texts("#drill figcaption")) == 4
    rows = shown(browser, "cells")
    record = next(ResultStore(folder).records())
    assert len(rows) == 16
    assert {row[-1] for row in rows} == {PROVENANCE["command"]}
    browser.click("#cells-table tbody tr:first-child button")
    text = browser.texts("#dialog")[0]
    for word in (PROVENANCE["command"], "abc123", "torch 2.13", "2026-11-21 02:39 UTC", "/Predictions/GunPoint/testResample0.json"):
        assert word in text
    assert record.cell.recipe in text
    browser.press("Escape", 27)
    browser.wait("!document.getElementById('dialog').open")


def test_failed_cells_stand_there_with_their_reason(browser, page, folder):
    browser.open(page(folder))
    assert shown(browser, "failures") == [["Wine", "kd", "1", "1", "failed", "NaN in epoch 3"]]


def test_a_cell_of_the_matrix_draws_its_pair_and_a_point_opens_its_dataset(browser, page, folder):
    browser.open(page(folder))
    python = compare([folder], "complete")
    browser.click("#matrix tbody tr:nth-child(3) td:nth-child(2)")
    expected = "/".join(str(counts[2, 0]) for counts in python.contests)
    assert browser.texts("#scatter-title") == [f"{python.names[2]} against {python.names[0]}: wins/ties/losses {expected}"]
    assert browser.evaluate("document.querySelectorAll('#scatter-figure circle').length") == 11
    browser.click("#scatter-figure circle")
    assert browser.texts("#drill-title")[0] in REAL


def test_the_table_that_is_shown_can_be_downloaded(browser, page, folder, tmp_path):
    browser.open(page(folder))
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.click("[data-key=leaderboard-csv]")
    from tests.browser.chromium import wait_until

    file = tmp_path / "leaderboard.csv"
    wait_until(file.is_file, "nothing was downloaded")
    head, *rows = file.read_text().splitlines()
    python = compare([folder], "complete")
    assert head.split(",")[:4] == ["place", "method", "rank", "accuracy"]
    assert [float(row.split(",")[2]) for row in rows] == pytest.approx(python.average_ranks.tolist())
    assert [row.split(",")[1] for row in rows] == python.names


def test_the_keyboard_alone_is_enough(browser, page, folder):
    browser.open(page(folder))
    for _ in range(80):
        browser.press("Tab", 9)
        if browser.evaluate("document.activeElement.dataset.key") == "leaderboard-accuracy":
            break
    browser.press("Enter", 13, "\r")
    assert browser.evaluate("document.activeElement.dataset.key") == "leaderboard-accuracy"
    assert browser.evaluate("document.activeElement.closest('th').ariaSort") == "descending"
    browser.evaluate("document.querySelector('#matrix td[tabindex=\"0\"]').focus()")
    browser.press("ArrowDown", 40)
    browser.press("Enter", 13, "\r")
    assert browser.evaluate("document.activeElement.dataset.key") == "matrix-2-1"
    assert browser.texts("#scatter-title")[0].startswith(compare([folder], "complete").names[2])


def test_hostile_names_are_text(browser, page, tmp_path):
    name, method = '<img src=x onerror=alert("ha")>&amp;', "</script><script>window.hurt=1</script>"
    store = fill(tmp_path / "cells", {"single": [0.5, 0.6, 0.7], "kd": [0.6, 0.7, 0.8]})
    for label in ("single", "kd"):
        put(store, name, label, 0.5, reason="x")
    for dataset in (name, "D00", "D01", "D02"):
        cell = make_cell(dataset, method, folder="hostile@lite")
        store.put(make_record(cell, provenance={"command": "<b>x</b>"}), *make_predictions(n_classes=2))
    put(store, "@script@", "kd", None, reason="<svg onload=window.hurt=1>")
    browser.open(page(tmp_path / "cells", title="<script>window.hurt=1</script>@data@"))
    browser.click(f"[data-key='dataset-{name}']".replace('"', '\\"'))
    assert browser.texts("#drill-title") == [name]
    browser.click("#cells-table tbody tr:first-child button")
    assert "<svg onload=window.hurt=1>" in browser.texts("#failures-table")[0]
    assert method in column(browser, 1)
    assert browser.evaluate("document.title") == "<script>window.hurt=1</script>@data@"
    assert browser.evaluate("window.hurt === undefined && document.querySelectorAll('img, main script, b').length === 0")


@pytest.mark.parametrize("dark", [False, True])
def test_dark_light_and_phone_fit_and_can_be_read(browser, page, folder, dark):
    browser.look(390, 844, dark=dark, phone=True)
    browser.open(page(folder))
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    ink, paper = browser.evaluate("((style) => [style.color, style.backgroundColor])(getComputedStyle(document.body))")
    brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (ink, paper)]
    assert (brightness[0] > brightness[1]) == dark
    assert abs(brightness[0] - brightness[1]) > 400


def test_one_method_alone_and_one_dataset_alone_are_shown_without_tests(browser, page, tmp_path):
    fill(tmp_path / "cells", {"single": [0.5]})
    browser.open(page(tmp_path / "cells"))
    assert column(browser, 1) == ["single"]
    assert "two methods" in browser.texts("#diagram")[0]
    browser.evaluate("ssdBench.chosen.query = 'nothing', ssdBench.update()")
    assert browser.texts("#leaderboard .warning") == ["No dataset is chosen."]
    browser.evaluate("ssdBench.chosen.withoutMethods.add('single'), ssdBench.update()")
    assert browser.texts("#leaderboard .warning") == ["No method is chosen."]
