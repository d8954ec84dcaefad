import csv
import re
from dataclasses import replace
from pathlib import Path

import aeon
import numpy as np
import pytest
import scipy.stats

from ssd_cli.cli.options import external_sources
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.caption import caption
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.external.files import read_files
from ssd_cli.leaderboard.external.reference import fetch
from ssd_cli.leaderboard.external.result import External, default_split, matched, protocol_warnings
from ssd_cli.leaderboard.external.sources import ExternalSources, published, published_names
from ssd_cli.leaderboard.figures.differences import draw as differences
from ssd_cli.leaderboard.publish import latex
from ssd_cli.leaderboard.table import write_csv
from ssd_cli.store.results import ResultStore
from ssd_cli.store.tsml_export import export_tsml
from tests.leaderboard.builders import put

MEANS = {  # of the published tables, computed by their readers
    "inceptiontime": (128, 0.8436), "inception": (128, 0.8361), "resnet": (128, 0.8066), "fcn": (128, 0.7859),
    "resnet-85": (85, 0.8249), "fcn-85": (85, 0.8086), "inceptiontime-lite": (128, 0.8491), "inception-lite": (128, 0.8393),
    "litetime": (128, 0.8462), "lite": (128, 0.8304), "multirocket": (128, 0.8606), "h-inceptiontime": (128, 0.8501),
    "etbidecsd-baseline": (85, 0.7955), "byot": (85, 0.8015), "self-bideckd": (85, 0.8114), "etbidecsd": (85, 0.8156),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANS)
def test_the_mean_of_a_published_table_is_reproduced(name):
    (one,) = published([name])
    assert len(one.scores) == MEANS[name][0]
    assert round(float(np.mean(list(one.scores.values()))), 4) == MEANS[name][1]


def test_compare_reproduces_means_and_ranks_without_own_results():
    names = ["inceptiontime", "resnet", "fcn", "inception", "rocket", "lite"]
    found = compare([], externals=ExternalSources(tuple(names)))
    table = {one.name: one.scores for one in published(names)}
    datasets = sorted(table[found.names[0]])
    scores = np.array([[table[name][dataset] for name in found.names] for dataset in datasets])
    ranks = scipy.stats.rankdata(-scores, axis=1).mean(axis=0)
    assert len(found.datasets) == 128
    assert found.average_ranks == pytest.approx(ranks, abs=1e-9)
    for name, mean in zip(found.names, found.mean_scores, strict=True):
        label = name.removesuffix(" (published)")
        assert label not in MEANS or round(mean, 4) == MEANS[label][1]
    assert found.noise is None
    assert any("dl-4-tsc" in text and "default split" in text for text in caption(found))


def test_reasons_for_gaps_are_renamed_with_the_datasets():
    one = External("x", "x", "foreign", default_split, {"A_eq": 0.5}, "there", {"B_eq": "too long", "C": "why"})
    (found,), notes = matched([one], ["A", "B", "C"])
    assert found.scores == {"A": 0.5} and found.gaps == {"B": "too long", "C": "why"}
    assert "A_eq as A" in notes[0] and "B_eq" not in notes[0]


def test_tables_on_different_datasets_are_refused_until_a_policy_is_chosen():
    with pytest.raises(SsdBenchError, match="no number in its source"):
        compare([], externals=ExternalSources(("resnet", "resnet-85")))
    assert len(compare([], "complete", externals=ExternalSources(("resnet", "resnet-85"))).datasets) == 85


def test_every_published_name_loads_and_holds_fractions():
    for one in published(list(published_names())):
        assert len(one.scores) >= 85
        assert all(0 <= value <= 1 for value in one.scores.values())


def test_unknown_names_are_misuse_with_a_suggestion():
    with pytest.raises(MisuseError, match="Did you mean 'rocket'"):
        published(["roket"])


@pytest.fixture
def own(tmp_path):
    store = ResultStore(tmp_path / "own")
    for dataset in ("GunPoint", "ArrowHead", "AllGestureWiimoteX"):
        for seed in (0, 1):
            put(store, dataset, "single", 0.8 + 0.01 * seed, seed=seed)
            put(store, dataset, "ssd", 0.9, seed=seed)
    return store


def test_published_results_stand_beside_own_ones_with_protocol_and_unknown_noise(own, tmp_path):
    found = compare([own.root], externals=ExternalSources(("resnet",)))
    assert set(found.names) == {"single", "ssd", "resnet (published)"}
    assert found.warnings == ()
    i, j = sorted(found.names.index(name) for name in ("single", "resnet (published)"))
    assert np.isnan(found.noise.seed_noise[i, j])
    assert found.noise.seeds_known
    write_csv(found, tmp_path / "out")
    text = (tmp_path / "out/leaderboard.csv").read_text()
    assert "resnet (published),resnet,published,default split," in text
    words = " ".join(caption(found))
    assert "mean of 2 results each of our own" in words and "No known gap of two mean accuracies" in words
    for name, column in (("leaderboard", "n_results_per_dataset"), ("per_dataset", "n_results")):
        with (tmp_path / f"out/{name}.csv").open(newline="") as file:
            counts = {row["name"]: row[column] for row in csv.DictReader(file)}
        assert counts == {"single": "2", "ssd": "2", "resnet (published)": ""}


def test_mixing_protocols_is_warned_of(own, tmp_path):
    store = ResultStore(tmp_path / "resampled")
    for resample in (0, 1):
        for method in ("single", "ssd"):
            put(store, "GunPoint", method, 0.8, resample=resample)
    with_default = compare([store.root], externals=ExternalSources(("resnet",)))
    assert any("Default-split results (resnet (published))" in text for text in with_default.warnings)
    with_mean = compare([own.root], "complete", externals=ExternalSources(("hydra-30",)))
    assert any("Means over resamples (hydra-30 (published))" in text for text in with_mean.warnings)
    both = compare([], "complete", externals=ExternalSources(("resnet", "hydra-30")))
    assert any("Default-split" in text for text in both.warnings)


@pytest.mark.parametrize(
    ("resamples", "own"), [({0, 1, 2}, "resamples 0-2"), (set(range(30)), "resamples 0-29"), ({4}, "resample 4")]
)
def test_means_over_resamples_of_others_are_never_surely_of_the_own_draws(resamples, own):
    (text,) = protocol_warnings(published(["hc2-30"]), resamples)
    assert f"Means over resamples (hc2-30 (published)) stand beside own results of {own}" in text
    assert "not known to be the same" in text
    (text,) = protocol_warnings(published(["resnet"]), resamples)
    assert f"stand beside means over resamples (own results of {own})" in text


def test_the_same_protocol_on_both_sides_needs_no_warning():
    assert protocol_warnings(published(["resnet"]), {0}) == []
    assert protocol_warnings(published(["hydra-30", "hc2-30"]), set()) == []


AEON = Path(aeon.__file__).parent / "testing" / "example_results_files"  # four files of the reference results, shipped by aeon


def test_reference_results_are_those_that_aeon_reads(monkeypatch):
    from aeon.benchmarking.results_loaders import get_estimator_results

    monkeypatch.setenv("SSD_BENCH_REFERENCE_RESULTS", str(AEON))
    for resamples in ({0}, {0, 1, 2}, set()):
        for one in published(["aeon:InceptionTime", "aeon:HIVECOTEV2"], resamples):
            official = one.label.removeprefix("aeon:")
            theirs = get_estimator_results(official, num_resamples=len(resamples) or 30, path=str(AEON))[official]
            assert one.scores == pytest.approx({name: np.mean(values) for name, values in theirs.items()}, abs=1e-12)
    (split,), (mean,) = published(["aeon:HC2"], {0}), published(["aeon:HC2"], set())
    assert (split.protocol.text, mean.protocol.text) == ("default split", "mean of 30 resamples")


def test_what_reference_results_lack_is_named_with_its_reason(own, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_REFERENCE_RESULTS", str(AEON))
    put(own, "BasicMotions", "single", 0.9, seed=0)
    put(own, "BasicMotions", "single", 0.9, seed=1)
    put(own, "BasicMotions", "ssd", 0.9, seed=0)
    put(own, "BasicMotions", "ssd", 0.9, seed=1)
    names = ["aeon:HC2", "aeon:WEASEL-2.0"]
    found = compare([own.root], "complete", externals=ExternalSources(tuple(names)))
    assert found.left_out == ("AllGestureWiimoteX", "BasicMotions")
    lacking = {(item.dataset, item.name): item.reason for item in found.missing}
    assert lacking["BasicMotions", "aeon:HC2 (published)"] == "no number in its source (published)"
    assert "AllGestureWiimoteX_eq as AllGestureWiimoteX" in " ".join(found.warnings)
    assert ("AllGestureWiimoteX", "aeon:WEASEL-2.0 (published)") not in lacking


def test_reference_results_are_fetched_once_and_gaps_in_them_are_gaps(tmp_path, monkeypatch, capsys):
    there = tmp_path / "there/classification/accuracy"
    there.mkdir(parents=True)
    write(there / "HC2_accuracy.csv", "Resamples:,0,1\nGunPoint,0.9,0.8\nBeef,0.7,NaN\nCar,0.5,nan\n")
    monkeypatch.setenv("SSD_BENCH_REFERENCE_RESULTS", (tmp_path / "there").as_uri())
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    (one,) = external_sources("aeon:HC2", None).read({0, 1})
    assert one.scores == pytest.approx({"GunPoint": 0.85})
    assert one.gaps["Beef"] == "no number for resample 1 in HC2_accuracy.csv"
    assert "Fetching" in capsys.readouterr().err
    (there / "HC2_accuracy.csv").unlink()
    assert published(["aeon:HC2"], {0})[0].scores == {"GunPoint": 0.9, "Beef": 0.7, "Car": 0.5}
    with pytest.raises(MisuseError, match="Did you mean 'InceptionTime'"):
        published(["aeon:InceptionTimes"], {0})
    write(fetch("classification/accuracy/HC2_accuracy.csv"), "<html>")
    with pytest.raises(SsdBenchError, match="no table of accuracies"):
        published(["aeon:HC2"], {0})


def write(path, text):
    path.write_text(text)
    return path


def test_a_plain_table_is_compared_and_names_with_eq_are_matched_by_a_printed_rule(own, tmp_path):
    path = write(tmp_path / "theirs.csv", "dataset,A,B\nGunPoint,0.91,0.5\nArrowHead,0.7,0.6\nAllGestureWiimoteXEq,0.8,0.75\n")
    found = compare([own.root], externals=ExternalSources(files=(path,)))
    assert {"A (theirs)", "B (theirs)"} <= set(found.names)
    assert found.scores[found.datasets.index("AllGestureWiimoteX"), found.names.index("A (theirs)")] == 0.8
    assert any("AllGestureWiimoteXEq as AllGestureWiimoteX" in text for text in found.warnings)
    assert any("not stated" in text for text in found.warnings)


def test_a_foreign_single_is_not_what_our_methods_are_drawn_against(own, tmp_path):
    path = write(tmp_path / "theirs.csv", "dataset,single\nGunPoint,0.99\nArrowHead,0.99\nAllGestureWiimoteX,0.99\n")
    found = compare([own.root], externals=ExternalSources(files=(path,)))
    assert found.rows[0].method == "single" and found.rows[0].external
    labels = {label.get_text().replace("\n", "") for label in differences(found).axes[0].get_yticklabels()}
    assert "single" not in labels and "single (theirs)" in labels


@pytest.mark.parametrize("name", ["[1] theirs", "*starred"])
def test_a_row_that_latex_would_take_for_a_part_of_the_line_break_is_kept_apart(own, tmp_path, name):
    path = write(tmp_path / "theirs.csv", f"dataset,{name}\nGunPoint,0.91\nArrowHead,0.7\nAllGestureWiimoteX,0.8\n")
    found = compare([own.root], externals=ExternalSources(files=(path,)))
    assert "\n{}" + name in latex(found)
    assert "\n" + name not in latex(found)


@pytest.mark.parametrize("datasets", [["PLAID", "PLAID_eq"], ["PLAID_eq", "PLAID"]])
def test_a_name_that_is_one_of_ours_is_left_alone(datasets):
    source = External("theirs", "theirs", "published", default_split, {"PLAID": 0.9}, "their paper")
    (one,), warnings = matched([source], datasets)
    assert one.scores == {"PLAID": 0.9}
    assert warnings == []
    (one,), _ = matched([replace(source, scores={"PLAID_nmv": 0.8})], datasets)
    assert one.scores == {"PLAID": 0.8}


def test_the_printed_rule_names_every_ending_that_is_taken_off():
    source = External("theirs", "theirs", "published", default_split, {"FloodModeling1_disc": 0.9}, "their paper")
    (one,), (text,) = matched([source], ["FloodModeling1"])
    assert one.scores == {"FloodModeling1": 0.9}
    assert "_eq, Eq, _nmv, _disc or capitals" in text and "FloodModeling1_disc as FloodModeling1" in text


@pytest.mark.parametrize("names", [("PLAID_eq", "PLAID_nmv"), ("PLAID_nmv", "PLAID_eq")])
def test_of_two_versions_the_same_one_counts_whatever_their_order(names):
    scores = {name: 0.9 if name == "PLAID_eq" else 0.5 for name in names}
    (one,), (text,) = matched([External("theirs", "theirs", "foreign", default_split, scores, "a file")], ["PLAID"])
    assert one.scores["PLAID"] == 0.9
    assert "Not used, since another version stands for the same dataset: PLAID_nmv of theirs" in text


def test_a_line_a_result_is_read_as_well_as_a_column_a_method(tmp_path):
    path = write(tmp_path / "t.csv", "Dataset,Method,Accuracy\nGunPoint,A,0.9\nGunPoint,B,0.8\nArrowHead,A,0.7\n")
    assert {one.label: one.scores for one in read_files(path, set())} == {
        "A": {"GunPoint": 0.9, "ArrowHead": 0.7},
        "B": {"GunPoint": 0.8},
    }
    with pytest.raises(SsdBenchError, match="line 3: a second result of A on GunPoint"):
        read_files(write(tmp_path / "t.csv", "dataset,method,accuracy\nGunPoint,A,0.9\nGunPoint,A,0.8\n"), set())


def test_a_misspelt_dataset_of_a_foreign_table_is_named(own, tmp_path):
    path = write(tmp_path / "t.csv", "dataset,A\nGunPoint,0.91\nArowHead,0.7\nAllGestureWiimoteX,0.8\n")
    with pytest.raises(SsdBenchError, match=r"ArrowHead, A.*it has 'ArowHead'"):
        compare([own.root], externals=ExternalSources(files=(path,)))


def test_a_table_in_another_encoding_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_bytes("dataset,Verfügbar\nGunPoint,0.9\n".encode("latin-1"))
    with pytest.raises(SsdBenchError, match="Expected UTF-8 text"):
        read_files(tmp_path / "t.csv", set())


def test_offline_forbids_fetching_and_names_the_way_without(tmp_path, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("SSD_BENCH_OFFLINE", "1")
    with pytest.raises(SsdBenchError, match="SSD_BENCH_REFERENCE_RESULTS"):
        fetch("classification/accuracy/HC2_accuracy.csv")


def test_a_number_that_is_missing_in_a_foreign_table_is_missing_with_its_reason(own, tmp_path):
    path = write(tmp_path / "t.csv", "dataset,A\nGunPoint,0.91\nArrowHead,nan\nAllGestureWiimoteX,0.8\n")
    with pytest.raises(SsdBenchError, match=re.escape("ArrowHead, A (t): 0 of 2 results ('nan' in t.csv)")):
        compare([own.root], externals=ExternalSources(files=(path,)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dataset,A\nGunPoint,91.3\n", "look like percentages"),
        ("dataset,A\nGunPoint,-0.1\n", "cannot be"),
        ("dataset,A\nGunPoint,high\n", "is no number"),
        ("dataset,A\nGunPoint,0.9\nGunPoint,0.8\n", "line 3: a second result of A on GunPoint"),
        ("dataset,A,A\nGunPoint,0.9,0.8\n", "line 1: the column 'A' occurs twice"),
        ("dataset,A\nGunPoint,0.9,0.8\n", "line 2: 3 values"),
        ("dataset,A\n\nGunPoint,0.9,0.8\n", "line 3: 3 values"),
        ("dataset,method,accuracy\n\nGunPoint,A,0.9\nGunPoint,B,high\nArrowHead,A,0.7\n", "line 4: 'high' is no number"),
        ("dataset\nGunPoint\n", "holds no table"),
        ("", "holds no table"),
    ],
)
def test_bad_tables_are_errors(tmp_path, text, words):
    with pytest.raises(SsdBenchError, match=words):
        read_files(write(tmp_path / "t.csv", text), set())


def test_a_tsml_folder_is_averaged_over_the_own_resamples_and_recounted(own, tmp_path):
    export_tsml(own.root, tmp_path / "tsml")
    found = compare([own.root], externals=ExternalSources(files=(tmp_path / "tsml",)))
    values = dict(zip(found.names, found.mean_scores.tolist(), strict=True))
    assert values["ssd@lite-seed1 (tsml)"] == pytest.approx(0.9)
    assert values["single@lite-seed0 (tsml)"] == pytest.approx(0.8)
    assert any("tsml resample 0" in text for text in caption(found))
    with pytest.raises(SsdBenchError, match="holds no tsml results"):
        read_files(tmp_path / "own/seed0/none" if (tmp_path / "own/seed0/none").is_dir() else tmp_path / "own", set())
