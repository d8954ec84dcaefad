import json

import pytest

from ssd_cli.core import atomic
from ssd_cli.errors import SsdBenchError
from ssd_cli.metrics import all_scores
from ssd_cli.store.rescore import recount
from ssd_cli.store.results import ResultStore
from ssd_cli.store.tsml_export import export_tsml
from tests.store.builders import make_cell, make_predictions, make_record
from tests.store.editing import edit


@pytest.fixture
def store(tmp_path):
    store = ResultStore(tmp_path / "cells")
    for method, seed in (("single", 0), ("ssd", 0), ("single", 1), ("ssd", 1)):
        y, p = make_predictions(seed=0)
        if method == "ssd":
            p = p[:, [0, 1, 2]] ** 2 / (p**2).sum(axis=1, keepdims=True)
        cell = make_cell(method=method, seed=seed)
        store.put(make_record(cell, scores=all_scores(y, p) | {"teacher_accuracy": 0.5}), y, p)
    store.put(make_record(make_cell(dataset="Beef"), status="failed"))
    return store


def test_a_sound_folder_has_no_problems(store):
    found = recount(store.root)
    assert found.problems == []
    assert (found.n_records, found.n_recounted, found.n_scores) == (5, 4, 24)
    assert found.not_recountable == {"teacher_accuracy"}


@pytest.mark.parametrize("score", ["accuracy", "nll", "ece", "macro_f1", "brier", "balanced_accuracy"])
def test_a_changed_score_is_reported_with_both_numbers(store, score):
    path = store.paths(make_cell())[1]
    value = json.loads(path.read_text())["scores"][score]
    edit(path, f'"{score}": {value!r}', f'"{score}": {value - 1e-6!r}')
    (problem,) = recount(store.root).problems
    assert str(path) in problem and score in problem and repr(value) in problem and repr(value - 1e-6) in problem


def test_a_changed_prediction_is_found_by_digest_and_by_score(store):
    path = store.paths(make_cell())[0]
    lines = path.read_text().splitlines()
    true, _, _, *p = lines[3].split(",")
    lines[3] = ",".join([true, true, "", *reversed(p)])
    path.write_text("\n".join(lines) + "\n")
    problems = recount(store.root).problems
    assert any("SHA-256" in problem for problem in problems)
    assert any("nll" in problem for problem in problems)


def test_another_accuracy_in_the_statistics_of_the_file_is_a_problem(store):
    path = store.paths(make_cell())[0]
    lines = path.read_text().splitlines()
    lines[2] = "0.015625" + lines[2][lines[2].index(",") :]
    path.write_text("\n".join(lines) + "\n")
    assert any(f"{path}, line 3: the accuracy is 0.015625, but" in problem for problem in recount(store.root).problems)


def test_missing_or_malformed_predictions_are_problems(store):
    store.paths(make_cell())[0].unlink()
    store.paths(make_cell(method="ssd"))[0].write_text("a\nb\n")
    store.paths(make_cell(seed=1))[1].write_text("{")
    problems = recount(store.root).problems
    assert len(problems) == 3
    assert any("the file is missing" in problem for problem in problems)


def test_other_true_classes_on_the_same_split_are_a_problem(store):
    y, p = make_predictions(seed=5)
    store.put(make_record(make_cell(method="kd"), scores=all_scores(y, p)), y, p)
    assert any("true classes" in problem for problem in recount(store.root).problems)


def test_empty_and_absent_folders_are_errors(tmp_path):
    with pytest.raises(SsdBenchError, match="holds no results"):
        recount(tmp_path)
    with pytest.raises(SsdBenchError, match="no folder"):
        recount(tmp_path / "absent")


def test_a_killed_export_does_not_prevent_the_next(store, tmp_path):
    machine, *_ = atomic.draft_path(tmp_path, tmp_path / "testResample0.csv").name.split("-")
    draft = tmp_path / "out" / ".tmp" / f"{machine}-4194305-1-testResample0.csv"
    draft.parent.mkdir(parents=True)
    draft.write_text("half a file")
    export_tsml(store.root, tmp_path / "out")
    assert not draft.parent.exists()


def test_export_makes_an_estimator_of_every_seed(store, tmp_path):
    done = export_tsml(store.root, tmp_path / "out")
    assert sorted(done.estimators) == ["single@lite-seed0", "single@lite-seed1", "ssd@lite-seed0", "ssd@lite-seed1"]
    assert (done.n_files, done.n_without) == (4, 1)
    path = tmp_path / "out" / "ssd@lite-seed1" / "Predictions" / "GunPoint" / "testResample0.csv"
    lines = path.read_text().splitlines()
    assert lines[0].startswith("GunPoint,ssd@lite-seed1,TEST,0,MILLISECONDS,")
    assert lines[1:] == store.paths(make_cell(method="ssd", seed=1))[0].read_text().splitlines()[1:]
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["estimators.csv", *sorted(done.estimators)]
    assert "ssd@lite-seed1,ssd,lite,smoke,1" in (tmp_path / "out" / "estimators.csv").read_text()


def test_export_of_one_seed_keeps_the_names(tmp_path):
    store = ResultStore(tmp_path / "cells")
    y, p = make_predictions()
    store.put(make_record(make_cell(resample=3)), y, p)
    assert export_tsml(store.root, tmp_path / "out").estimators == ("single@lite",)
    exported = tmp_path / "out/single@lite/Predictions/GunPoint/testResample3.csv"
    assert exported.read_bytes() == store.paths(make_cell(resample=3))[0].read_bytes()


def test_truncated_or_missing_predictions_are_not_exported(store, tmp_path):
    path = store.paths(make_cell(method="ssd"))[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))  # a file that can be read, with two cases fewer
    with pytest.raises(SsdBenchError, match=f"{path} was changed after it was written") as caught:
        export_tsml(store.root, tmp_path / "out")
    assert caught.value.exit_code == 1 and not list(tmp_path.glob("out/ssd@lite-seed0/**/*.csv"))
    path.unlink()
    with pytest.raises(SsdBenchError, match=f"Cannot read {path}"):
        export_tsml(store.root, tmp_path / "out")


def test_nothing_to_export_is_an_error(tmp_path):
    with pytest.raises(SsdBenchError, match="no finished cells"):
        export_tsml(tmp_path, tmp_path / "out")
