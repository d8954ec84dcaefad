"""Packing, and the analysis from end to end, on small synthetic cells."""

import csv
import dataclasses
import importlib
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.recount import check_tables
from ssd_cli.statistics.scores import NLL_CLIP, all_scores
from ssd_cli.store.recount import recount
from ssd_cli.store.results import ResultStore
from tests.plugins import forgotten
from tests.store.builders import make_cell, make_predictions, make_record

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
DATASETS = ("Chinatown", "ItalyPowerDemand", "GunPoint")


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDY))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def put(root, method, dataset="Chinatown", seed=0, resample=0, sharper=1.0, status="ok", **changes):
    """A cell whose probabilities are those of the dataset and resample, sharpened."""
    cell = make_cell(dataset, method, resample=resample, seed=seed, folder=f"{method.replace('[', '-').replace(']', '')}@lite")
    if status != "ok":
        return ResultStore(root).put(make_record(cell, status, **changes))
    y, p = make_predictions(60, 3, seed=1000 * sum(map(ord, dataset)) + resample)
    p = p**sharper / (p**sharper).sum(axis=1, keepdims=True)
    costs = {"cpu_seconds": 2.0, "macs": 100, "networks_trained": 1, "networks_stored": 1, "fit_seconds_alone": 2.0}
    changes["costs"] = costs | changes.pop("costs", {})
    return ResultStore(root).put(make_record(cell, scores=all_scores(y, p), **changes), y, p)


def same_cells(one, other):
    found = [{str(record.cell): record for record in ResultStore(root).records()} for root in (one, other)]
    assert found[0].keys() == found[1].keys()
    return [(record, found[1][key]) for key, record in found[0].items()]


@pytest.fixture
def packed(tmp_path):
    pack = importlib.import_module("pack")
    root = tmp_path / "cells" / "a"
    for dataset in DATASETS:
        for method, sharper in (("single", 1), ("ssd", 6)):
            put(root, method, dataset, sharper=sharper, curves=[{"label": "member 0", "curve": {"loss": [0.5, 0.25]}}])
    put(root, "soup-greedy", status="skipped", reason="a class has a single training case")
    done = pack.pack(root, tmp_path / "out" / "a.tar.xz")
    pack.unpack(tmp_path / "out" / "a.tar.xz", tmp_path / "again")
    return pack, root, tmp_path / "again", done


def test_a_recount_of_what_was_unpacked_is_exact(packed):
    _, root, again, done = packed
    assert done.n_cells == 7
    assert done.n_full == 0
    found = recount(again)
    assert found.problems == []
    assert found.n_recounted == 6
    for before, after in same_cells(root, again):
        assert (before.identity, before.status, before.reason, before.costs, before.curves) == (
            after.identity,
            after.status,
            after.reason,
            after.costs,
            after.curves,
        )
        for name in ("accuracy", "balanced_accuracy", "macro_f1"):
            assert before.scores.get(name) == after.scores.get(name)
        for name in before.scores:
            assert after.scores[name] == pytest.approx(before.scores[name], abs=done.largest + 1e-15)
    assert 0 < done.largest < 1e-5


def test_probabilities_are_rounded_to_five_digits_and_no_prediction_changes(packed):
    _, root, again, _ = packed
    for record in ResultStore(root).records():
        if record.status == "ok":
            (y, before), (y_again, after) = (ResultStore(folder).predictions(record.cell) for folder in (root, again))
            assert (y == y_again).all()
            assert (before.argmax(1) == after.argmax(1)).all()
            large = before >= NLL_CLIP
            np.testing.assert_allclose(after[large], before[large], rtol=5.1e-5)
            assert all(float(f"{value:.5g}") == value for value in after.flat)


def test_packing_what_was_unpacked_changes_nothing(packed, tmp_path):
    pack, _, again, _ = packed
    pack.pack(again, tmp_path / "twice.tar.xz")
    assert (tmp_path / "twice.tar.xz").read_bytes() == (tmp_path / "out" / "a.tar.xz").read_bytes()


def test_new_cells_beside_unpacked_ones_are_packed_too(packed, tmp_path):
    pack, _, again, _ = packed
    put(again, "kd", "GunPoint")
    assert pack.pack(again, tmp_path / "more.tar.xz").n_cells == 8
    with tarfile.open(tmp_path / "more.tar.xz") as tar:
        assert len(tar.getnames()) == 15


def test_done_cells_are_known_again_without_their_networks(packed):
    """Resuming compares identities and the digest of the predictions: both are those of the archive."""
    import hashlib

    _, _, again, _ = packed
    store = ResultStore(again)
    for record in store.records():
        found = store.read(record.cell)
        assert found is not None
        if found.status == "ok":
            assert hashlib.sha256(store.paths(record.cell)[0].read_bytes()).hexdigest() == found.predictions_sha256


def test_cells_are_never_unpacked_over_others(packed, tmp_path):
    pack, root, _, _ = packed
    with pytest.raises(SsdBenchError, match="holds cells already"):
        pack.unpack(tmp_path / "out" / "a.tar.xz", root)


def test_a_cell_whose_class_would_change_keeps_its_digits(tmp_path):
    pack = importlib.import_module("pack")
    y = np.array([1, 0])
    p = np.array([[0.49999999, 0.50000001], [0.9, 0.1]])  # a tie after rounding, which goes to the lower class
    store = ResultStore(tmp_path / "a")
    store.put(make_record(make_cell(), scores=all_scores(y, p)), y, p)
    done = pack.pack(tmp_path / "a", tmp_path / "a.tar.xz")
    assert (done.n_full, done.largest) == (1, 0.0)
    pack.unpack(tmp_path / "a.tar.xz", tmp_path / "b")
    assert (ResultStore(tmp_path / "b").predictions(make_cell())[1] == p).all()


def test_rounding():
    rounded = importlib.import_module("pack").rounded
    values = np.array([[1.0, 0.0, 0.123456789], [1.23456789e-5, 1.6e-9, 0.99999999]])
    assert rounded(values).tolist() == [[1.0, 0.0, 0.12346], [1.2346e-5, 2e-9, 1.0]]


# ---- the whole analysis ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """Study A of three datasets, P of two, an ablation; everything else has not been run."""
    with pytest.MonkeyPatch.context() as patch, forgotten():
        patch.syspath_prepend(str(STUDY))
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield written(tmp_path_factory.mktemp("study"), patch)


def written(tmp_path, patch):
    suites = importlib.import_module("suites")
    cells, out = tmp_path / "cells", tmp_path / "out"
    parsed = {name: suites.parse_suite(STUDY / f"{name}.yaml", {}) for name in ("a", "ablation")}
    for resample in range(3):
        for dataset in DATASETS:
            for place, method in enumerate(suites.canonical(parsed["a"])):
                curve = {
                    "label": "student",
                    "curve": {"loss": [0.9, 0.5 if dataset == "GunPoint" else 0.05], "norm_ratio": [1.0, 1.07]},
                }
                many = method == "ens-avg"
                put(
                    cells / "a", method, dataset, resample=resample, sharper=2.0 if method == "ssd" else 1.0,
                    curves=[curve] if method in ("single", "ssd") else [],
                    costs={"cpu_seconds": 2.0 + 0.1 * place + 8 * many, "macs": 500 if many else 100},
                )  # fmt: skip
    put(cells / "a", "kd", "ERing", status="failed", reason="it rained")
    for dataset, values in importlib.import_module("published_runs").published().items():
        for seed, accuracy in enumerate(values) if dataset in ("UMD", "BME") else ():
            cell = make_cell(dataset, "single", "inception", seed=seed)
            ResultStore(cells / "p").put(make_record(cell, scores={"accuracy": float(accuracy)}), *make_predictions())
    for method in suites.canonical(parsed["ablation"])[:9]:
        for dataset in DATASETS:
            for resample in range(2):
                put(cells / "ablation", method, dataset, resample=resample, sharper=1.5)
    (out / "a").mkdir(parents=True)
    (out / "a" / "stale.csv").write_text("of an earlier analysis\n")
    tables = {"verdicts": "what was here before\n", "p": "", "none": ""}
    page = "\n".join(f"<!-- table: {name} -->\n{text}<!-- end -->\n" for name, text in tables.items())
    for name in ("README.md", "details.md"):
        (out / name).write_text(f"# Page\n\n{page}")
    patch.setattr(sys, "argv", ["analyse.py", "--cells", str(cells), "--out", str(out)])
    assert importlib.import_module("analyse").main() == 0
    return cells, out


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_everything_is_written_from_what_is_there(analysed):
    _, out = analysed
    coverage = {row["suite"][:8]: row for row in rows(out / "coverage.csv")}
    assert coverage["A: LITE,"]["done"] == str(3 * 3 * 14)
    assert coverage["A: LITE,"]["failed"] == "1"
    assert coverage["B: Incep"]["not run"] == "280"
    missing = rows(out / "missing.csv")
    assert any(row["reason"] == "it rained" and row["methods"] == "kd" for row in missing)
    assert any(row["suite"] == "b" and "not been started" in row["reason"] for row in missing)
    for name in ("a/leaderboard.csv", "a/cd.png", "a/cost_accuracy.png", "ablation.png", "verdicts_described.md", "h.md"):
        assert (out / name).stat().st_size > 0, name

    verdicts = {(row["suite"], row["method"], row["other"]): row for row in rows(out / "verdicts.csv")}
    assert len(verdicts) == 8 * 2 * 5
    mine = verdicts["a", "ssd", "finetune"]
    assert (mine["datasets"], float(mine["difference"])) == ("3", 0)  # sharpening changes no class
    assert "too few" in mine["verdict"]
    assert verdicts["b", "ssd", "finetune"]["verdict"] == "no complete dataset yet"

    costs = {row["method"]: row for row in rows(out / "costs_a.csv")}
    assert float(costs["ens-avg"]["inference MACs x single"]) == pytest.approx(5)
    assert costs["ens-avg"]["average rank at 1x inference"] == ""
    assert float(costs["single"]["training CPU x single"]) == float(costs["single"]["trainings"]) == 1

    sharp = {row["ssd against"]: row for row in rows(out / "sharpening.csv")}
    assert float(sharp["feat-kd"]["same class"]) == 1
    assert float(sharp["feat-kd"]["mean abs. dp"]) > 0.01
    assert float(sharp["feat-kd"]["confidence low"]) > 0
    assert float(sharp["feat-kd"]["entropy high"]) < 0
    levels = {row["method"]: row for row in rows(out / "sharpening_levels.csv")}
    assert float(levels["ssd"]["norm ratio"]) == pytest.approx(1.07)

    fit = {(row["part"], row["difference"]): row for row in rows(out / "fitting.csv")}
    assert fit["A, training loss at most 0.1", "kd − single"]["datasets"] == "2"  # Chinatown, ItalyPowerDemand
    assert ("A, training loss above 0.1", "kd − single") not in fit  # one dataset has no interval
    assert not (out / "a" / "stale.csv").exists()

    carried = {(row["part"], row["difference"]): row for row in rows(out / "robustness.csv")}
    assert carried["A", "ssd − single"]["datasets"] == "3"
    corrected = [row for part, row in carried.items() if part[0] == "A, p by Holm over the ten questions"]
    alone = {(row["method"], row["other"]): row for row in verdicts.values() if row["suite"] == "a"}
    assert len(corrected) == 10
    for row in corrected:
        uncorrected = alone[tuple(row["difference"].split(" − "))]
        assert float(row["mean"]) == pytest.approx(float(uncorrected["difference"]), abs=1e-12)
        assert float(uncorrected["p"] or 1) <= float(row["p"]) <= min(1, 10 * float(uncorrected["p"] or 1))

    published = rows(out / "p.csv")
    assert [row["dataset"] for row in published] == ["UMD", "BME"]
    assert all(float(row["difference"]) == pytest.approx(0, abs=1e-12) for row in published)

    for name in ("README.md", "details.md"):
        text = (out / name).read_text()
        assert "what was here before" not in text
        assert "equivalent within 0.005 to ens-avg" in text
        assert "SO FAR: 2 of 8" in text
        assert "Not there yet" in text


def test_the_tables_recount(analysed):
    cells, out = analysed
    found = recount(cells / "a")
    assert check_tables([cells / "a"], [found], out / "a") == ([], [])


def test_an_archive_stands_for_cells_that_are_not_there(analysed, tmp_path, monkeypatch):
    cells, out = analysed
    pack, analyse = importlib.import_module("pack"), importlib.import_module("analyse")
    pack.pack(cells / "a", out / "a.tar.xz")
    monkeypatch.setattr(sys, "argv", ["analyse.py", "--cells", str(tmp_path / "fresh"), "--out", str(out)])
    before = (out / "verdicts.csv").read_bytes()
    assert analyse.main() == 0
    assert (out / "verdicts.csv").read_bytes() == before
    assert recount(tmp_path / "fresh" / "a").problems == []
    assert check_tables([tmp_path / "fresh" / "a"], [recount(tmp_path / "fresh" / "a")], out / "a") == ([], [])


def test_every_change_of_the_ablation_has_its_panel():
    ablation, suites = importlib.import_module("ablation"), importlib.import_module("suites")
    labels = suites.canonical(suites.parse_suite(STUDY / "ablation.yaml", {}))
    panels = {label: ablation.panel(label) for label in labels if label != "ssd"}
    assert set(panels.values()) == set(ablation.PANELS) - {"proposal", "control", "rival", "teacher_free", "small"}
    assert ablation.panel("ssd-ensemble[mixup=true]") == "proposal"
    assert ablation.panel("single-long[mixup=true]") == "control"
    assert ablation.panel("snapshot[averaged=1]") == "rival"
    assert ablation.panel("drg-dsr") == "teacher_free"
    assert panels["ssd[representations=10]"] == "representations"
    assert panels["ssd[student_epochs=100,student_init=random]"] == "student_init"
    assert panels["ssd-mid[representations=10]"] == "dropout_sites"
    assert panels["ssd[renormalise=true]"] == "other"
    assert {label for label, panel in panels.items() if panel == "reference"} == {
        "single", "single-dropout", "finetune", "feat-kd", "ens-avg",
    }  # fmt: skip


def test_tables_are_not_written_over_cells(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["analyse.py", "--cells", str(tmp_path), "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        importlib.import_module("analyse").main()
    assert "one folder" in capsys.readouterr().err


def test_datasets_are_parted_by_the_training_loss_of_single(tmp_path):
    """Published accuracies stand beside those of the archive's split; a pair with a single dataset says nothing."""
    fitting, suites = importlib.import_module("fitting"), importlib.import_module("suites")
    suite = dataclasses.replace(suites.parse_suite(STUDY / "a.yaml", {}), resamples=(0,))
    losses = {"Chinatown": 0.05, "ItalyPowerDemand": 0.1, "GunPoint": 0.3, "Coffee": 2.0}
    for dataset, loss in losses.items():
        for method in ("single", "kd"):
            put(tmp_path / "a", method, dataset, sharper=1 + (method == "kd"), curves=[{"curve": {"loss": [3.0, loss]}}])
    one = suites.Loaded("a", suite, ["single", "kd"], tmp_path / "a", suites.collect([tmp_path / "a"]))
    assert fitting.final_losses(one) == losses
    head, table = fitting.compare(one, dataclasses.replace(one, name="long", cells=None))
    found = {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in table}
    assert {key[0] for key in found} == {"A, training loss at most 0.1", "A, training loss above 0.1"}
    assert {key[1] for key in found} == {"kd − single", "single − published LITE"}
    assert {row["datasets"] for row in found.values()} == {2}
    ours, theirs = fitting.archive_split(one, "single"), fitting.published("LITE")
    expected = np.mean([ours[name] - theirs[name] for name in ("GunPoint", "Coffee")])
    assert found["A, training loss above 0.1", "single − published LITE"]["mean"] == pytest.approx(expected)
    assert found["A, training loss above 0.1", "kd − single"]["mean"] == 0  # sharper probabilities, the same classes


def test_sharpness():
    sharpening = importlib.import_module("sharpening")
    assert sharpening.sharpness(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx((0.75, np.log(2) / 2))


def test_a_dataset_counts_only_with_all_its_resamples(tmp_path):
    suites = importlib.import_module("suites")
    suite = dataclasses.replace(suites.parse_suite(STUDY / "c.yaml", {}), resamples=(0, 1))
    for resample in (0, 1):
        put(tmp_path / "c", "ssd", "GunPoint", resample=resample)
    put(tmp_path / "c", "ssd", "Chinatown")
    one = suites.Loaded("c", suite, ["ssd"], tmp_path / "c", suites.collect([tmp_path / "c"]))
    assert one.done(["ssd"], "accuracy")[0] == ["GunPoint"]


def loaded_c(folder, methods, resamples):
    suites = importlib.import_module("suites")
    suite = dataclasses.replace(suites.parse_suite(STUDY / "c.yaml", {}), resamples=resamples)
    return suites.Loaded("c", suite, methods, folder, suites.collect([folder]))


def test_seconds_are_compared_on_one_kind_of_processor_only(tmp_path):
    costs = importlib.import_module("costs")
    times = {"single": (2.0, "A"), "ssd": (3.0, "A"), "swa": (9.0, "B")}

    def ratios():
        one = loaded_c(tmp_path, list(times), (0,))
        return {row[0]: row[costs.TRAINING] for row in costs.costs(one, one.finished())[1]}

    for method, (seconds, cpu) in times.items():
        put(tmp_path, method, costs={"cpu_seconds": seconds}, provenance={"cpu": cpu})
    found = ratios()
    assert (found["single"], found["ssd"]) == (1, pytest.approx(1.5)) and np.isnan(found["swa"])
    for method, seconds in (("single", 4.0), ("ssd", 5.0), ("swa", 8.0)):
        put(tmp_path, method, "GunPoint", costs={"cpu_seconds": seconds}, provenance={"cpu": "B"})
    assert ratios() == {"single": 1, "ssd": pytest.approx(1.25), "swa": pytest.approx(2)}  # where all ran on one, alone


def test_a_method_that_is_finished_nowhere_is_not_ranked_and_the_table_says_so(tmp_path):
    analyse = importlib.import_module("analyse")
    for resample in (0, 1):
        for method in ("single", "ssd"):
            put(tmp_path / "c", method, resample=resample)
    put(tmp_path / "c", "ens-avg")
    one = loaded_c(tmp_path / "c", ["single", "ssd", "ens-avg"], (0, 1))
    assert one.finished() == ["single", "ssd"]
    assert "2 methods ranked on 1 datasets" in analyse.leaderboard(one, tmp_path / "out")
    table = (tmp_path / "out" / "c" / "leaderboard.md").read_text()
    assert "ens-avg" in table and "| ens-avg" not in table
    assert check_tables([tmp_path / "c"], [recount(tmp_path / "c")], tmp_path / "out" / "c") == ([], [])
