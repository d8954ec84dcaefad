"""Every flipped bit and every swapped file of a folder of results is found, or changes nothing."""

import dataclasses
import itertools
import random
import shutil

import numpy as np
import pytest

from ssd_cli.archives import cache
from ssd_cli.archives.dataset import Part, make_dataset
from ssd_cli.errors import SsdBenchError
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.index import load_index
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord
from ssd_cli.store.rescore import recount
from ssd_cli.store.results import ResultStore
from tests.store.builders import make_cell, make_predictions, make_record

FEW = 300
MANY = pytest.param(20_000, marks=[pytest.mark.torture, pytest.mark.timeout(3600)])
COUNTS = pytest.mark.parametrize("count", [FEW, MANY])


def flips(content, count, seed=0):
    """Yield copies of a file, each with one flipped bit: all bits of its last line and its structure, and others by chance."""
    chosen = random.Random(seed)
    tail = range(max(0, 8 * (len(content) - 20)), 8 * len(content))
    bits = [*chosen.sample(tail, min(len(tail), count // 4)), *(chosen.randrange(8 * len(content)) for _ in range(count))]
    for bit in bits[:count]:
        yield content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def full_record(**changes):
    return make_record(
        costs={"fit_seconds_alone": 1.5, "macs": 10**9, "latency_ms_p50": 0.25},
        curves=[{"key": "ab" * 32, "curve": {"loss": [0.5, 0.25]}}],
        diagnostics={"temperature": 2.0},
        provenance={"versions": {"torch": "2.0"}},
        **changes,
    )


@pytest.fixture
def folder(tmp_path):
    """Cells of two datasets, methods, resamples and seeds, with predictions of their own."""
    store = ResultStore(tmp_path / "out")
    for number, (dataset, method, resample, seed) in enumerate(itertools.product(("A", "B"), ("single", "ssd"), (0, 1), (0, 1))):
        y, probabilities = make_predictions(seed=number)
        store.put(make_record(make_cell(dataset, method, resample=resample, seed=seed)), y, probabilities)
    return store


@COUNTS
def test_a_flipped_bit_of_a_record_is_found(count):
    content = full_record().to_json().encode()
    assert CellRecord.from_json(content, "file") == full_record()
    for changed in flips(content, count):
        with pytest.raises(SsdBenchError, match=r"some\.json"):
            CellRecord.from_json(changed, "some.json")


@COUNTS
def test_a_flipped_bit_of_a_file_of_predictions_is_found(folder, count):
    cell = make_cell("A", "ssd", resample=1, seed=1)
    path, record = folder.paths(cell)
    name = record.relative_to(folder.root).with_suffix("").as_posix()
    from ssd_cli.store.index import read_row

    for changed in flips(path.read_bytes(), count):
        path.write_bytes(changed)
        try:
            assert read_row(folder.root, name)["predictions"] == "changed"
        except SsdBenchError as error:
            assert str(path) in error.what


def test_swapped_records_and_predictions_are_found(folder):
    cells = [record.cell for record in folder.records()]
    for first, second in itertools.combinations(cells, 2):
        for kind in (0, 1):
            one, other = folder.paths(first)[kind], folder.paths(second)[kind]
            before = one.read_bytes()
            shutil.copyfile(other, one)
            if kind == 0:
                assert any(str(one) in problem for problem in _problems(folder, first))
            else:
                with pytest.raises(SsdBenchError):
                    folder.read(first)
            one.write_bytes(before)


def _problems(folder, cell):
    from ssd_cli.store.index import read_row

    path, record = folder.paths(cell)
    row = read_row(folder.root, record.relative_to(folder.root).with_suffix("").as_posix())
    return [str(path)] if row["predictions"] == "changed" else []


def test_recount_and_the_table_agree_on_a_swap(folder):
    cells = [record.cell for record in folder.records()]
    one, other = (folder.paths(cell)[0] for cell in cells[:2])
    shutil.copyfile(other, one)
    assert any(str(one) in problem for problem in recount(folder.root).problems)
    table = load_index(folder.root)
    assert table["predictions"].tolist().count("changed") == 1


@pytest.mark.parametrize(
    "name", ["accuracy", "balanced_accuracy", "macro_f1", "ece", "teacher_accuracy", "disagreement", "converged"]
)
@pytest.mark.parametrize("value", [-0.01, 1.01, 5.0, 1e300])
def test_an_impossible_score_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        make_record(scores={"accuracy": 0.5, name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("nll", 16.2), ("nll", -0.1), ("brier", 2.1), ("fit_seconds_alone", -1.0), ("macs", -5)]
)
def test_a_score_or_cost_outside_its_bounds_is_refused(name, value):
    place = {"scores": {"accuracy": 0.5, name: value}} if name in ("nll", "brier") else {"costs": {name: value}}
    with pytest.raises(ValueError, match=name):
        make_record(**place)


def test_rounding_is_no_impossible_score():
    assert make_record(scores={"accuracy": 1.0, "nll": -1.2e-7, "brier": 2.0000000000000004}).scores["nll"] < 0


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "B"},
        {"resample": 1},
        {"seed": 3},
        {"method": {"name": "kd", "parameters": {}}},
        {"backbone": {"name": "fcn", "parameters": {}}},
        {"recipe": {"name": "paper", "parameters": {}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_cell_and_identity_agree(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        make_record(identity=changes)


def without_digest(record):
    body, _, _ = record.to_json().rpartition(",\n")
    return body + "\n}\n"


def test_a_record_of_an_earlier_version_is_read_and_marked():
    record = full_record()
    old = CellRecord.from_json(without_digest(record), "file")
    assert old == record and not old.has_digest and CellRecord.from_json(record.to_json(), "file").has_digest


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_only_a_cell_that_is_ok_has_predictions(status):
    record = make_record(status=status)
    wrong = dataclasses.replace(record, predictions_sha256=None if status == "ok" else "e" * 64)
    with pytest.raises(SsdBenchError, match="SHA-256 of its predictions"):
        CellRecord.from_json(wrong.to_json(), "file")


KEYS = [f"{number:064x}" for number in range(0, 60, 7)]


def arrays(value):
    return {"weight": np.full((2, 3), value, dtype=np.float32)}


@COUNTS
def test_a_flipped_bit_of_a_network_is_found(tmp_path, count):
    store = NetworkStore(tmp_path)
    store.obtain(KEYS[0], lambda: (arrays(1.0), {"fit_seconds": 3.0, "curve": {"loss": [0.5]}}))
    for path in (tmp_path / "networks").rglob("*.*"):
        content = path.read_bytes()
        for changed in flips(content, count // 2):
            path.write_bytes(changed)
            assert store.find(KEYS[0]) is None
        path.write_bytes(content)
    assert store.find(KEYS[0]) is not None


def test_an_entry_under_another_key_counts_as_absent(tmp_path):
    store = NetworkStore(tmp_path)
    for number, key in enumerate(KEYS):
        store.obtain(key, lambda number=number: (arrays(number), {"number": number}))
    for first, second in itertools.permutations(KEYS, 2):
        path = tmp_path / "networks" / first[:2] / f"{first}.json"
        before = path.read_bytes()
        shutil.copyfile(tmp_path / "networks" / second[:2] / f"{second}.json", path)
        assert store.find(first) is None
        path.write_bytes(before)
    shutil.copyfile(tmp_path / "networks" / KEYS[0][:2] / f"{KEYS[0]}.json", path)
    assert not store.obtain(first, lambda: (arrays(9.0), {}))[2]  # trained again


@COUNTS
def test_checkpoints_that_are_damaged_or_of_another_key_count_as_absent(tmp_path, count):
    store = CheckpointStore(tmp_path, "here")
    store.save("first", arrays(1.0), {"epoch": 1})
    store.save("second", arrays(2.0), {"epoch": 2})
    first, second = (tmp_path / ".checkpoints" / f"{name}.checkpoint" for name in ("first", "second"))
    content = first.read_bytes()
    for changed in flips(content, count):
        first.write_bytes(changed)
        assert store.load("first") is None
    shutil.copyfile(second, first)
    assert store.load("first") is None and store.load("second")[1] == {"epoch": 2}


def dataset(name, value):
    X = [np.full((1, 6), value + case) for case in range(4)]
    part = Part(X, np.array(["a", "b", "a", "b"]), None)
    return make_dataset(name, part, part)


@COUNTS
def test_an_entry_of_the_array_cache_is_whole_and_its_own(tmp_path, count):
    paths = [tmp_path / f"{name}-0123.npz" for name in ("A", "B")]
    for path, value in zip(paths, (1.0, 50.0), strict=True):
        cache.write_entry(path, dataset(path.stem[0], value))
    whole = cache.read_entry(paths[0], "A")
    assert whole is not None and cache.read_digest(paths[0]) == whole.digest
    for file in (paths[0], paths[0].with_suffix(".npy")):
        content = file.read_bytes()
        for changed in flips(content, count // 2):
            file.write_bytes(changed)
            found = cache.read_entry(paths[0], "A")
            assert found is None or found.digest == whole.digest  # such as in the padding of a header
        file.write_bytes(content)
    for suffix in (".npz", ".npy"):
        shutil.copyfile(paths[1].with_suffix(suffix), paths[0].with_suffix(suffix))
    assert cache.read_entry(paths[0], "A") is None and cache.read_digest(paths[0]) is None
