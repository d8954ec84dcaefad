import errno
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.store.networks import NetworkStore

KEY = hashlib.sha256(b"a network").hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()


def arrays(value=1.0):
    return {
        "weight": np.full((3, 2), value, dtype=np.float32).T,
        "steps": np.array(7, dtype=np.int64),
        "classifier.bias": np.array([0.1, -0.0, np.inf]),
    }


def never():
    raise AssertionError("trained again")


def weights(root):
    return sorted((root / "networks").rglob("*.safetensors"))


def slow_training(root, barrier, queue):
    def train():
        (root / f"trained-by-{os.getpid()}").touch()
        time.sleep(0.3)
        return arrays(), {"loss": [0.5]}

    barrier.wait()
    got, report, reused = NetworkStore(root, poll_seconds=0.01).obtain(KEY, train)
    queue.put((float(got["weight"].sum()), report, reused))


def test_a_network_is_trained_once_and_read_back_bit_for_bit(tmp_path):
    trained, report, reused = NetworkStore(tmp_path).obtain(KEY, lambda: (arrays(), {"loss": [0.1, 1 / 3], "key": ""}))
    assert not reused
    again, same_report, reused = NetworkStore(tmp_path).obtain(KEY, never)
    assert reused
    assert same_report == report == {"loss": [0.1, 1 / 3], "key": ""}
    assert again.keys() == trained.keys()
    for name, array in trained.items():
        assert again[name].dtype == array.dtype and again[name].shape == array.shape
        assert again[name].tobytes() == array.tobytes()
    assert not list((tmp_path / ".tmp").iterdir())
    assert not list((tmp_path / ".claims").iterdir())


def test_the_name_of_a_file_is_the_digest_of_its_content_and_equal_weights_share_it(tmp_path):
    store = NetworkStore(tmp_path)
    store.obtain(KEY, lambda: (arrays(), {}))
    name, size = store.save(arrays())
    (file,) = weights(tmp_path)
    assert file.stem == name == hashlib.sha256(file.read_bytes()).hexdigest()
    assert size == file.stat().st_size
    assert store.save(arrays(2.0))[0] != name
    assert np.array_equal(store.load(name)["weight"], arrays()["weight"])


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "gone", "report cut", "report changed", "report not of a network"])
def test_a_damaged_network_is_trained_again(tmp_path, damage):
    store = NetworkStore(tmp_path)
    store.obtain(KEY, lambda: (arrays(), {"fit_seconds": 3.0}))
    (file,) = weights(tmp_path)
    content = file.read_bytes()
    report = tmp_path / "networks" / KEY[:2] / f"{KEY}.json"
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "emptied":
        file.write_bytes(b"")
    elif damage == "gone":
        file.unlink()
    elif damage == "report cut":
        report.write_text(report.read_text()[:-9])
    elif damage == "report changed":
        report.write_text(report.read_text().replace("3.0", "1.0"))
    else:
        report.write_text(json.dumps([1]))
    got, _, reused = store.obtain(KEY, lambda: (arrays(5.0), {"fit_seconds": 4.0}))
    assert not reused and got["weight"][0, 0] == 5.0
    got, report, reused = NetworkStore(tmp_path).obtain(KEY, never)
    assert reused and got["weight"][0, 0] == 5.0 and report == {"fit_seconds": 4.0}


def test_save_replaces_a_damaged_file_and_load_refuses_it(tmp_path):
    store = NetworkStore(tmp_path)
    name, _ = store.save(arrays())
    weights(tmp_path)[0].write_bytes(b"{}")
    with pytest.raises(SsdBenchError, match="missing or damaged"):
        store.load(name)
    store.save(arrays())
    assert store.load(name)["steps"] == 7


def test_processes_that_want_one_network_train_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(4), context.Queue()
    workers = [context.Process(target=slow_training, args=(tmp_path, barrier, queue), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert len(list(tmp_path.glob("trained-by-*"))) == 1
    assert sorted(reused for *_, reused in answers) == [False, True, True, True]
    assert all(answer[:2] == (6.0, {"loss": [0.5]}) for answer in answers)


def test_a_training_that_fails_leaves_nothing_and_can_be_tried_again(tmp_path):
    store = NetworkStore(tmp_path)

    def fail():
        raise SsdBenchError("The training loss became nan at epoch 3.")

    with pytest.raises(SsdBenchError, match="epoch 3"):
        store.obtain(KEY, fail)
    assert not store.obtain(KEY, lambda: (arrays(), {}))[2]


def test_a_full_disk_is_an_error_and_releases_the_claim(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = NetworkStore(tmp_path)
    for call in ("fsync", "open"):  # while writing the network, while claiming it
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(SsdBenchError, match=f"The disk of {tmp_path} is full"):
                store.obtain(KEY, lambda: (arrays(), {}))
    assert not store.obtain(KEY, lambda: (arrays(), {}))[2]


def test_discarding_keeps_what_records_name(tmp_path):
    store = NetworkStore(tmp_path)
    store.obtain(KEY, lambda: (arrays(), {}))
    store.obtain(OTHER, lambda: (arrays(2.0), {}))
    name, size = store.save(arrays())
    assert store.discard([KEY, OTHER, hashlib.sha256(b"unknown").hexdigest()], keep=[name]) == size
    assert [file.stem for file in weights(tmp_path)] == [name]
    assert store.obtain(KEY, never)[2]
    assert not store.obtain(OTHER, lambda: (arrays(2.0), {}))[2]


def test_networks_are_kept_without_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from ssd_cli.store.networks import NetworkStore;"
        "import numpy; NetworkStore(Path(sys.argv[1])).save({'a': numpy.ones(2)}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
