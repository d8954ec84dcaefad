import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.core import atomic
from ssd_cli.errors import SsdBenchError
from ssd_cli.store.results import ResultStore
from tests.store.builders import make_cell, make_predictions, make_record


def files_below(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_put_writes_the_layout_that_tsml_tools_read(tmp_path):
    store = ResultStore(tmp_path)
    record = make_record(make_cell("Coffee", seed=3, resample=2))
    stored = store.put(record, *make_predictions())
    base = "seed3/single@lite/Predictions/Coffee/testResample2"
    assert files_below(tmp_path) == [f"{base}.csv", f"{base}.json"]
    assert store.read(record.cell) == stored
    assert len(stored.predictions_sha256) == 64
    assert list(store.records()) == [stored]


def test_predictions_come_back_bit_by_bit(tmp_path):
    store = ResultStore(tmp_path)
    y, probabilities = make_predictions(200, 7)
    cell = store.put(make_record(), y, probabilities).cell
    true, read = store.predictions(cell)
    assert np.array_equal(true, y)
    assert np.array_equal(read, probabilities)


def test_a_failure_replaces_a_result_and_its_predictions(tmp_path):
    store = ResultStore(tmp_path)
    store.put(make_record(), *make_predictions())
    store.put(make_record(status="failed", reason="NaN in epoch 3", traceback="…"))
    assert files_below(tmp_path) == ["seed0/single@lite/Predictions/GunPoint/testResample0.json"]
    assert store.read(make_cell()).reason == "NaN in epoch 3"


def test_read_returns_none_without_record_or_without_predictions(tmp_path):
    store = ResultStore(tmp_path)
    assert store.read(make_cell()) is None
    store.put(make_record(), *make_predictions())
    store.paths(make_cell())[0].unlink()
    assert store.read(make_cell()) is None


def test_ok_and_predictions_belong_together(tmp_path):
    with pytest.raises(ValueError, match="predictions"):
        ResultStore(tmp_path).put(make_record())
    with pytest.raises(ValueError, match="predictions"):
        ResultStore(tmp_path).put(make_record(status="skipped"), *make_predictions())
    assert files_below(tmp_path) == []


def test_a_record_that_was_moved_is_noticed(tmp_path):
    store = ResultStore(tmp_path)
    store.put(make_record(), *make_predictions())
    (tmp_path / "seed0").rename(tmp_path / "seed1")
    with pytest.raises(SsdBenchError, match="another cell"):
        store.read(make_cell(seed=1))


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "is full"), (errno.EACCES, "Cannot write"), (errno.EIO, "Cannot write")]
)
@pytest.mark.parametrize("call", ["fsync", "mkdir"])
def test_a_failed_write_keeps_the_earlier_files(tmp_path, monkeypatch, code, words, call):
    store = ResultStore(tmp_path)
    store.put(make_record(), *make_predictions())
    before = {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)}

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        monkeypatch.setattr(atomic, "make_folder", refuse)
    with pytest.raises(SsdBenchError, match=words) as caught:
        store.put(make_record(scores={"accuracy": 0.75}), *make_predictions(seed=1))
    assert str(tmp_path) in str(caught.value)
    assert "finished cells are kept" in str(caught.value)
    assert {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)} == before


def test_a_file_with_the_name_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SsdBenchError, match="Cannot write"):
        ResultStore(tmp_path / "out").check_writable()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_is_not_writable_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(SsdBenchError, match="--out"):
            ResultStore(tmp_path / "out").check_writable()
    finally:
        tmp_path.chmod(0o700)


def test_check_writable_leaves_nothing(tmp_path):
    ResultStore(tmp_path / "a" / "b").check_writable()
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("deaths", range(6))
def test_killed_at_any_step_a_cell_is_whole_or_absent(tmp_path, deaths):
    """The process dies at its n-th rename, removal or synchronisation while it overwrites a cell."""
    store = ResultStore(tmp_path)
    old = store.put(make_record(), *make_predictions())
    script = f"""
import os, pathlib
from tests.store.builders import *
from ssd_cli.store.results import ResultStore
left = [{deaths}]
def deadly(call):
    def wrapped(*arguments, **named):
        if left[0] == 0:
            os._exit(9)
        left[0] -= 1
        return call(*arguments, **named)
    return wrapped
os.fsync = deadly(os.fsync)
pathlib.Path.replace = deadly(pathlib.Path.replace)
pathlib.Path.unlink = deadly(pathlib.Path.unlink)
ResultStore({str(tmp_path)!r}).put(make_record(scores={{"accuracy": 0.75}}), *make_predictions(seed=1))
"""
    repository = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=repository).returncode == 9
    record = store.read(make_cell())
    if record is not None:
        y, _ = store.predictions(make_cell())
        expected = make_predictions() if record == old else make_predictions(seed=1)
        assert np.array_equal(y, expected[0])
        from hashlib import sha256

        assert sha256(store.paths(make_cell())[0].read_bytes()).hexdigest() == record.predictions_sha256
    store.clean()
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_clean_spares_living_processes_and_other_machines(tmp_path):
    store = ResultStore(tmp_path)
    temporary = tmp_path / ".tmp"
    temporary.mkdir()
    mine = atomic.draft_path(temporary, Path("x.csv"))
    host, pid, start, *_ = mine.name.split("-")
    reborn = temporary / f"{host}-{pid}-{int(start) - 100}-1-x.csv"
    foreign, old_foreign, nonsense = (temporary / name for name in ("ffffffff-1-1-1-x.csv", "ffffffff-1-1-2-x.csv", "x"))
    for path in (mine, reborn, foreign, old_foreign, nonsense):
        path.write_text("")
    os.utime(old_foreign, (0, 0))
    assert store.clean() == 3
    assert set(temporary.iterdir()) == {mine, foreign}


def test_a_malformed_record_on_disk_names_its_file(tmp_path):
    store = ResultStore(tmp_path)
    store.put(make_record(), *make_predictions())
    path = store.paths(make_cell())[1]
    path.write_text(json.dumps({"cell": 1}))
    with pytest.raises(SsdBenchError, match=r"testResample0\.json"):
        store.read(make_cell())
