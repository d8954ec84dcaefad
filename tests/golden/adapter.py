"""The only place where the golden tests touch the inside of the package.

All imports stand at the top, so that collecting the tests fails where a name has moved. A change inside the package may change
this file. It must not change the golden values, and it must not change an assertion.
"""

import base64
import gzip
import json
import os
import re
import signal
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ssd_cli.archives.load import load
from ssd_cli.backbones import backbones
from ssd_cli.methods import methods
from ssd_cli.methods.single import Single
from ssd_cli.protocol.resample import resample_indices
from ssd_cli.running.plan import make_plan
from ssd_cli.running.plugins import add_plugins
from ssd_cli.running.suite import parse_suite
from ssd_cli.training import checkpoint
from ssd_cli.training.checkpoint import Checkpointer, TrainingState
from ssd_cli.training.seeds import sub_seed

__all__ = [
    "Single",
    "checkpoint_every_epoch_and_kill_once",
    "data_of_page",
    "methods",
    "names_of_methods_and_backbones",
    "planned_cells",
    "positions_of_resample",
    "seed_of_stream",
]


def planned_cells(options, plugins=()):
    """Return (cell, identity, identity hash) of every cell of a run; `options` are those of the command, by field name."""
    add_plugins(tuple(plugins))
    plan = make_plan(parse_suite(None, options), dry_run=False)
    return [
        (asdict(planned.cell), json.loads(json.dumps(planned.spec.to_identity())), planned.identity_hash) for planned in plan.cells
    ]


def names_of_methods_and_backbones():
    """Return the registered names of the methods with a backbone and of all backbones."""
    return [name for name in methods.names() if not name.startswith("golden")], backbones.names()


def seed_of_stream(seed, dataset, resample, purpose, index):
    """Return the seed of one random stream."""
    return sub_seed(seed, dataset, resample, purpose, index)


def positions_of_resample(name, data_dir, resample):
    """Return the positions of the training cases and of the test cases of a resample, as lists."""
    train, test = resample_indices(load(name, (Path(data_dir),), download=False), resample)
    return train.tolist(), test.tolist()


def checkpoint_every_epoch_and_kill_once():
    """Save a checkpoint after every epoch, and kill this process once, after the fourth epoch of a training.

    The environment variable SSD_BENCH_GOLDEN_KILL names a folder: a file "killed" there says that the kill has happened, and a
    file "resumed" holds the epoch from which the training went on.
    """
    folder = Path(os.environ["SSD_BENCH_GOLDEN_KILL"])
    purpose = os.environ["SSD_BENCH_GOLDEN_KILL_IN"]
    checkpoint.SECONDS = 0.0
    save, restore = Checkpointer.after_epoch, TrainingState.restore

    def save_and_kill(self, standing, stop):
        save(self, standing, stop)
        of_shared_network = "-" not in self._key
        if standing.epoch == 4 and not (folder / "killed").exists() and of_shared_network == (purpose == "shared network"):
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def restore_and_note(self, arrays, facts):
        restore(self, arrays, facts)
        (folder / "resumed").write_text(str(self.epoch))

    Checkpointer.after_epoch, TrainingState.restore = save_and_kill, restore_and_note


def data_of_page(path):
    """Return what the page of `report` knows of every cell: {(dataset, method, resample, seed): {column: value}}."""
    text = Path(path).read_text(encoding="utf-8")
    block = re.search(r'"(H4sI[A-Za-z0-9+/=]+)"|>\s*(H4sI[A-Za-z0-9+/=\s]+)<', text)
    content = gzip.decompress(base64.b64decode(block[1] or block[2]))
    size = int.from_bytes(content[:4], "little")
    header, rest = json.loads(content[4 : 4 + size]), content[4 + size :]
    types = {"Uint8Array": "u1", "Uint16Array": "<u2", "Uint32Array": "<u4", "Float32Array": "<f4", "Float64Array": "<f8"}
    arrays = {name: np.frombuffer(rest, types[one["type"]], one["length"], one["start"]) for name, one in header["arrays"].items()}
    keys = [column["key"] for column in header["columns"]]
    columns = arrays["columns"].reshape(len(keys), -1)
    failures = {cell: header["failureTexts"][reason] for cell, reason, _ in header["failures"]}
    cells = {}
    for cell in range(len(arrays["dataset"])):
        dataset, method = header["datasets"][arrays["dataset"][cell]], header["methods"][arrays["method"][cell]]
        resample, seed = header["runs"][arrays["run"][cell]]
        values = {"accuracy": _plain(arrays["accuracy"][cell]), "status": header["statuses"][arrays["status"][cell]]}
        values |= {key: _plain(column[cell]) for key, column in zip(keys, columns, strict=True)}
        values |= {
            "label": method["method"],
            "backbone": method["backbone"],
            "identity": arrays["identity"][6 * cell :][:6].tobytes().hex(),
        }
        values |= {"reason": failures[cell]} if cell in failures else {}
        cells[f"{dataset['name']} {method['name']} r{resample} s{seed}"] = values
    return cells


def _plain(number):
    return None if np.isnan(number) else float(number)
