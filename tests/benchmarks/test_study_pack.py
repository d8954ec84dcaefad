"""Packing and unpacking of small synthetic cells."""

import hashlib
import importlib
import tarfile

import numpy as np
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.metrics import NLL_CLIP, all_scores
from ssd_cli.store.rescore import recount
from ssd_cli.store.results import ResultStore
from tests.benchmarks.cells import put
from tests.store.builders import make_cell, make_record

DATASETS = ("Chinatown", "ItalyPowerDemand", "GunPoint")


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
        assert (before.spec, before.status, before.reason, before.costs, before.curves) == (
            after.spec,
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
