import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.store import index, index_cache
from ssd_cli.store.index import load_index
from ssd_cli.store.results import ResultStore
from tests.store.builders import make_cell, make_predictions, make_record
from tests.store.editing import edit


@pytest.fixture
def store(tmp_path):
    store = ResultStore(tmp_path)
    for number, (dataset, method, resample) in enumerate(
        [("A", "single", 0), ("A", "ssd", 0), ("B", "single", 0), ("A", "single", 1)]
    ):
        y, p = make_predictions(seed=number)
        scores = {"accuracy": float(np.mean(p.argmax(axis=1) == y)), "teacher_accuracy": 0.5}
        store.put(make_record(make_cell(dataset, method, resample=resample), scores=scores, costs={"macs": 7, "unit": "x"}), y, p)
    return store


@pytest.fixture
def settled(monkeypatch):
    """Make the files look old."""
    monkeypatch.setattr(index, "SETTLED_NS", -(10**15))


@pytest.fixture
def readings(monkeypatch):
    paths = []
    original = index.read_row
    monkeypatch.setattr(index, "read_row", lambda root, path: paths.append(path) or original(root, path))
    return paths


def same(first, second):
    return first.astype({c: "object" for c in first.select_dtypes("category")}).equals(
        second.astype({c: "object" for c in second.select_dtypes("category")})
    )


def test_one_row_a_record_with_scores_and_costs(store):
    store.put(make_record(make_cell("B", "ssd"), status="skipped", reason="one case per class"))
    frame = load_index(store.root)
    assert len(frame) == 5
    assert list(frame["path"]) == sorted(frame["path"])
    row = frame[(frame.dataset == "A") & (frame.method == "ssd")].iloc[0]
    record = store.read(make_cell("A", "ssd"))
    assert row["accuracy"] == record.scores["accuracy"]
    assert row["macs"] == 7.0
    assert "unit" not in frame
    assert row["identity_hash"] == record.identity_hash
    assert json.loads(row["preparation"]) == record.spec.preparation
    skipped = frame[frame.status == "skipped"].iloc[0]
    assert skipped["reason"] == "one case per class"
    assert np.isnan(skipped["accuracy"])


def test_conditions_of_a_cell_are_columns(store):
    conditions = {"device": "cuda", "execution": "batched", "threads": 2, "together": {"resamples": [0], "seeds": [0, 1]}}
    store.put(make_record(make_cell("B", "ssd"), identity=conditions), *make_predictions())
    for frame in (load_index(store.root), load_index(store.root)):  # read, then from the table
        rows = frame[frame["dataset"] == "B"].set_index("method")[["device", "execution", "threads"]]
        assert rows.loc["ssd"].tolist() == ["cuda", "batched, together", 2]
        assert rows.loc["single"].tolist() == ["", "", 0]


def test_the_second_load_reads_no_record_and_gives_the_same_table(store, settled, readings):
    first = load_index(store.root)
    assert len(readings) == 4
    second = load_index(store.root)
    assert len(readings) == 4
    assert same(first, second)


def test_a_file_written_a_moment_ago_is_read_again(store, readings):
    load_index(store.root)
    load_index(store.root)
    assert len(readings) == 8


def rewrite(path, old, new):
    """Change a file in place without changing its size and modification time."""
    state = path.stat()
    content = path.read_bytes()
    changed = content.replace(old, new, 1)
    assert changed != content and len(changed) == len(content)
    with path.open("r+b") as file:
        file.write(changed)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_a_record_changed_in_place_changes_its_row_and_only_it_is_read(store, settled, readings):
    before = load_index(store.root)
    time.sleep(0.02)  # one tick of the kernel's file clock
    path = store.paths(make_cell("B"))[1]
    state, value = path.stat(), str(json.loads(path.read_text())["scores"]["accuracy"])
    other = value[:2] + str((int(value[2]) + 1) % 10) + value[3:]
    edit(path, f'"accuracy": {value}', f'"accuracy": {other}')
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size
    readings.clear()
    after = load_index(store.root)
    assert readings == ["seed0/single@lite/Predictions/B/testResample0"]
    changed = after.dataset == "B"
    assert (after.loc[changed, "accuracy"] == float(other)).all()
    assert same(after[~changed], before[~changed])


def test_scores_of_changed_predictions_are_computed_again_and_marked(store, settled):
    load_index(store.root)
    time.sleep(0.02)
    path = store.paths(make_cell("B"))[0]
    lines = path.read_text().splitlines()
    first = lines[3].split(",")
    rewrite(path, lines[3].encode(), ",".join([str((int(first[0]) + 1) % 3), *first[1:]]).encode())
    row = load_index(store.root).query("dataset == 'B'").iloc[0]
    y, p = store.predictions(make_cell("B"))
    assert row["predictions"] == "changed"
    assert row["accuracy"] == np.mean(p.argmax(axis=1) == y) != store.read(make_cell("B")).scores["accuracy"]
    assert np.isnan(row["teacher_accuracy"])  # cannot be counted from this file


def test_missing_predictions_are_marked(store, settled):
    load_index(store.root)
    store.paths(make_cell("B"))[0].unlink()
    frame = load_index(store.root)
    assert frame.query("dataset == 'B'")["predictions"].tolist() == ["missing"]
    assert set(frame.query("dataset == 'A'")["predictions"]) == {"ok"}


def test_a_file_deleted_during_the_listing_is_absent(store, monkeypatch):
    """A cell that is being replaced is absent for a moment."""
    state = index.state_of

    def replaced(entry):
        if entry.name.endswith(".json"):
            Path(entry.path).unlink()
        return state(entry)

    monkeypatch.setattr(index, "state_of", replaced)
    assert load_index(store.root).empty


def test_cells_come_and_go(store, settled):
    load_index(store.root)
    for path in store.paths(make_cell("A", "ssd")):
        path.unlink()
    store.put(make_record(make_cell("C", "kd"), costs={"new_cost": 1.5}), *make_predictions())
    frame = load_index(store.root)
    assert len(frame) == 4
    assert "ssd" not in set(frame["method"])
    assert "ssd" not in frame["method"].cat.categories
    assert frame.query("dataset == 'C'")["new_cost"].tolist() == [1.5]
    assert frame["new_cost"].isna().sum() == 3
    assert same(frame, load_index(store.root))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"\x93NUMPY"])
def test_a_damaged_table_is_built_again(store, settled, content):
    first = load_index(store.root)
    (store.root / ".index" / "records.npz").write_bytes(content)
    assert same(first, load_index(store.root))


def test_a_table_of_version_1_without_conditions_is_built_again(store, settled, monkeypatch, readings):
    with monkeypatch.context() as earlier:
        earlier.setattr(index_cache, "VERSION", 1)
        frame = load_index(store.root).drop(columns=["device", "execution", "threads"])
        _, states, _ = index_cache.load(store.root / ".index")
        index_cache.save(store.root / ".index", frame, states)
    readings.clear()
    assert "device" in load_index(store.root)
    assert len(readings) == 4


def test_a_table_of_another_release_is_built_again(store, settled, monkeypatch, readings):
    load_index(store.root)
    monkeypatch.setattr(index_cache, "VERSION", -1)
    load_index(store.root)
    assert len(readings) == 8


def test_an_index_that_cannot_be_written_is_not_an_error(store, settled, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(index_cache.atomic, "write", refuse)
    assert len(load_index(store.root)) == 4
    assert not (store.root / ".index").exists()


def test_other_files_are_no_records(tmp_path):
    assert load_index(tmp_path / "absent").empty
    assert not (tmp_path / "absent").exists()
    (tmp_path / "seed0" / "single@lite" / "Predictions" / "A").mkdir(parents=True)
    (tmp_path / "seed0" / "single@lite" / "Predictions" / "A" / "testResample0.csv").write_text("half")
    (tmp_path / "seed0" / "notes.txt").write_text("")
    (tmp_path / "leaderboard").mkdir()
    assert load_index(tmp_path).empty


def test_a_malformed_record_names_its_file(store):
    store.paths(make_cell("B"))[1].write_text("{")
    with pytest.raises(SsdBenchError, match=r"testResample0\.json"):
        load_index(store.root)
