"""The suites of the study, and its analysis from end to end on small synthetic cells."""

import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ssd_cli.configuration import configure, label, parse_label
from ssd_cli.leaderboard.table_check import check_tables
from ssd_cli.methods import methods
from ssd_cli.running.plugins import add_plugins
from ssd_cli.running.suite import parse_suite
from ssd_cli.store.rescore import recount
from ssd_cli.store.results import ResultStore
from ssd_cli.testing import methods as checks
from tests.benchmarks.cells import put
from tests.plugins import forgotten
from tests.small import EXACT, SmallBackbone, build, weights, workbench
from tests.store.builders import make_cell, make_predictions, make_record

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
DATASETS = ("Chinatown", "ItalyPowerDemand", "GunPoint")


@pytest.fixture(scope="module")
def plugin():
    with forgotten():
        yield add_plugins((STUDY / "single_long.py",))


def test_every_suite_has_a_title_and_labels_as_records_have_them(plugin):
    """The analysis finds the records of a method by its label."""
    suites = importlib.import_module("suites")
    assert {path.stem for path in STUDY.glob("*.yaml")} == set(suites.TITLES)
    for name in suites.TITLES:
        for text in parse_suite(STUDY / f"{name}.yaml", {}).method:
            method, parameters = parse_label(text)
            assert label(method, configure(methods.get(method), method, parameters)) == text


def test_single_long(plugin, tmp_path):
    def fit(text):
        bench = workbench(recipe=EXACT, backbone=SmallBackbone(12))
        return weights(build(text).fit(bench.training_set, bench).networks[0])

    checks.check_learns(build("single-long"))
    checks.check_seeds_matter(build("single-long"))
    np.testing.assert_allclose(fit("single-long[times=1]"), fit("single"), rtol=1e-9, atol=1e-12)
    assert np.abs(fit("single-long[times=1,mixup=true]") - fit("single")).max() > 1e-6


def write_cells(cells):
    """`lite40` on three datasets, and two datasets of the published runs."""
    for resample in range(3):
        for dataset in DATASETS:
            for place, method in enumerate(parse_suite(STUDY / "lite40.yaml", {}).method):
                many, loss = method == "ens-avg", 0.5 if dataset == "GunPoint" else 0.05
                put(
                    cells / "lite40", method, dataset, resample=resample, sharper=2.0 if method == "ssd" else 1.0,
                    curves=[{"label": "member 0", "curve": {"loss": [0.9, loss]}}],
                    costs={"cpu_seconds": 2.0 + 0.1 * place + 8 * many, "macs": 500 if many else 100},
                )  # fmt: skip
    put(cells / "lite40", "kd", "ERing", status="failed", reason="it rained")
    for dataset, values in importlib.import_module("published_runs").published().items():
        for seed, accuracy in enumerate(values) if dataset in ("UMD", "BME") else ():
            cell = make_cell(dataset, "single", "inception", seed=seed)
            ResultStore(cells / "inception8_published").put(
                make_record(cell, scores={"accuracy": float(accuracy)}), *make_predictions()
            )


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def analyse(monkeypatch, cells, out):
    monkeypatch.setattr(sys, "argv", ["analyse.py", "--cells", str(cells), "--out", str(out)])
    importlib.import_module("analyse").main()


def test_the_analysis_from_cells_and_again_from_their_archive(tmp_path, monkeypatch):
    cells, out = tmp_path / "cells", tmp_path / "out"
    write_cells(cells)
    out.mkdir()
    (out / "README.md").write_text("# Page\n\n<!-- table: verdicts -->\nwhat was here before\n<!-- end -->\n")
    analyse(monkeypatch, cells, out)

    coverage = {row["suite"].split("`")[1]: row for row in rows(out / "coverage.csv")}
    assert (coverage["lite40"]["done"], coverage["lite40"]["failed"]) == (str(3 * 3 * 14), "1")
    verdicts = {(row["method"], row["other"]): row for row in rows(out / "verdicts.csv")}
    assert len(verdicts) == 2 * 5
    assert (verdicts["ssd", "finetune"]["datasets"], float(verdicts["ssd", "finetune"]["difference"])) == ("3", 0)
    assert "too few" in verdicts["ssd", "finetune"]["verdict"]
    costs = {row["method"]: row for row in rows(out / "costs_lite40.csv")}
    assert float(costs["ens-avg"]["inference MACs x single"]) == pytest.approx(5)
    assert costs["ens-avg"]["average rank at 1x inference"] == ""
    assert float(costs["single"]["training CPU x single"]) == 1
    fit = {(row["part"], row["difference"]): row for row in rows(out / "fitting.csv")}
    assert fit["training loss at most 0.1", "kd − single"]["datasets"] == "2"  # Chinatown, ItalyPowerDemand
    assert ("training loss above 0.1", "kd − single") not in fit  # one dataset has no interval
    published = rows(out / "inception8_published.csv")
    assert [row["dataset"] for row in published] == ["UMD", "BME"]
    assert all(float(row["difference"]) == pytest.approx(0, abs=1e-12) for row in published)
    page = (out / "README.md").read_text()
    assert "what was here before" not in page
    assert "equivalent within 0.005 to ens-avg" in page
    for name in ("lite40/cd.png", "lite40/cost_accuracy.png"):
        assert (out / name).stat().st_size > 0, name
    assert check_tables([cells / "lite40"], [recount(cells / "lite40")], out / "lite40") == ([], [])

    importlib.import_module("pack").pack(cells / "lite40", out / "lite40.tar.xz")
    again = importlib.import_module("suites").load(tmp_path / "fresh", out)["lite40"]
    verdict = importlib.import_module("verdicts")
    _, table = verdict.table(verdict.judge("lite40", "ssd", verdict.scores(again, "ssd"), True))
    assert [float(row[5]) for row in table] == [float(verdicts["ssd", str(row[3])]["difference"]) for row in table]
    assert recount(tmp_path / "fresh" / "lite40").problems == []


def test_tables_are_not_written_over_cells(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        analyse(monkeypatch, tmp_path, tmp_path)
    assert "one folder" in capsys.readouterr().err


def loaded(folder, names, resamples="0,"):
    suites = importlib.import_module("suites")
    return suites.Loaded("lite40", {"method": names, "resamples": resamples, "seeds": "0,"}, folder, suites.read(folder))


def test_a_dataset_counts_only_with_all_its_resamples(tmp_path):
    for resample in (0, 1):
        put(tmp_path, "ssd", "GunPoint", resample=resample)
    put(tmp_path, "ssd", "Chinatown")
    assert loaded(tmp_path, ["ssd"], "2").done(["ssd"], "accuracy")[0] == ["GunPoint"]


def test_datasets_are_separated_by_the_training_loss_of_single(tmp_path, monkeypatch):
    fitting = importlib.import_module("fitting")
    losses = {"Chinatown": 0.05, "ItalyPowerDemand": 0.1, "GunPoint": 0.3, "Coffee": 2.0}
    for dataset, loss in losses.items():
        for method in ("single", "kd", "ens-avg"):
            put(tmp_path, method, dataset, sharper=1 + (method == "kd"), curves=[{"curve": {"loss": [3.0, loss]}}])
    one = loaded(tmp_path, ["single", "kd", "ens-avg"])
    assert fitting.final_losses(one) == losses
    monkeypatch.setattr(fitting, "PAIRS", [("kd", "single")])
    head, table = fitting.compare(one)
    found = {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in table}
    assert {row["datasets"] for row in found.values()} == {2}
    ours, theirs = fitting.archive_split(one, "single"), fitting.published("LITE")
    expected = np.mean([ours[name] - theirs[name] for name in ("GunPoint", "Coffee")])
    assert found["training loss above 0.1", "single − published LITE"]["mean"] == pytest.approx(expected)
    assert found["training loss above 0.1", "kd − single"]["mean"] == 0  # sharper probabilities, the same classes


def test_seconds_are_compared_on_one_kind_of_processor_only(tmp_path):
    costs = importlib.import_module("costs")
    times = {"single": (2.0, "A"), "ssd": (3.0, "A"), "swa": (9.0, "B")}

    def ratios():
        head, table = costs.costs(loaded(tmp_path, list(times)))
        return pd.DataFrame(table, columns=head).set_index("method")["training CPU x single"].to_dict()

    for method, (seconds, cpu) in times.items():
        put(tmp_path, method, costs={"cpu_seconds": seconds}, provenance={"cpu": cpu})
    found = ratios()
    assert (found["single"], found["ssd"]) == (1, pytest.approx(1.5)) and np.isnan(found["swa"])
    for method, seconds in (("single", 4.0), ("ssd", 5.0), ("swa", 8.0)):
        put(tmp_path, method, "GunPoint", costs={"cpu_seconds": seconds}, provenance={"cpu": "B"})
    assert ratios() == {"single": 1, "ssd": pytest.approx(1.25), "swa": pytest.approx(2)}  # where all ran on one, alone


def test_differences_to_one_method(tmp_path):
    for dataset in DATASETS:
        put(tmp_path, "ssd", dataset, costs={"cpu_seconds": 4.0})
        put(tmp_path, "single", dataset, sharper=3.0)
    head, table = importlib.import_module("differences").differences(loaded(tmp_path, ["single", "ssd"]), "ssd")
    assert len(table) == 1
    row = dict(zip(head, table[0], strict=True))
    assert (row["method"], row["datasets"], row["difference"], row["ties"]) == ("single", 3, 0, 3)
    assert row["training CPU x ssd"] == pytest.approx(0.5)
