"""Cache of parsed arrays.

An entry is named by the SHA-256 of the dataset's name, published size and files, so it is never stale. It consists of two files.
The ``.npy`` file holds all values and is mapped into memory if it is large. The ``.npz`` file holds the rest and a digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from ssd_cli.archives import catalog
from ssd_cli.archives.dataset import Dataset, Part, make_dataset
from ssd_cli.archives.locate import DatasetFiles
from ssd_cli.core import atomic

_FORMAT = 4
"""Increase it when the same files give other arrays, or when the layout of the entries changes."""

MAPPED_BYTES = 2**25
"""Arrays of at least this size (32 MiB) are mapped: processes share them, and only the used parts are loaded."""

SETTLED_SECONDS = 2.0
"""A file that changed more recently than this can change again without another time stamp, so its hash is not stored."""


def cache_root() -> Path:
    """Return the folder of the cache: ``$SSD_BENCH_CACHE``, ``$XDG_CACHE_HOME/ssd-bench`` or ``~/.cache/ssd-bench``."""
    named = os.environ.get("SSD_BENCH_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(os.path.join("~", ".cache"))  # noqa: PTH111, PTH118
    return Path(home) / "ssd-bench"


def entry_path(name: str, source: DatasetFiles) -> Path:
    """Return the path of a dataset's entry. Files are hashed only if they have changed since they were last hashed."""
    sha = hashlib.sha256(f"{_FORMAT};{name};{source.train.suffix};{catalog.size(name)}".encode())
    for path in source.files:
        sha.update(_hash_of(path))
    return cache_root() / "arrays" / f"{name}-{sha.hexdigest()[:32]}.npz"


def read_digest(path: Path) -> str | None:
    """Return the digest in an entry without reading the arrays; None if there is no usable entry."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return str(stored["digest"]) if str(stored["entry"]) == path.stem else None
    except Exception:  # with any damage the text is parsed again
        return None


def read_entry(path: Path, name: str) -> Dataset | None:
    """Return the dataset of an entry; None if the entry is absent, or if its arrays do not have the recorded digest."""
    values_path = path.with_suffix(".npy")
    try:
        mapped = values_path.stat().st_size >= MAPPED_BYTES
        values = np.asarray(np.load(values_path, mmap_mode="r" if mapped else None, allow_pickle=False))
        with np.load(path, allow_pickle=False) as stored:
            n_train = int(stored["n_train_values"])
            train, test = _unpack(stored, "train", values[:n_train]), _unpack(stored, "test", values[n_train:])
            dataset = make_dataset(name, train, test)
            return dataset if (dataset.digest, path.stem) == (str(stored["digest"]), str(stored["entry"])) else None
    except Exception:  # with any damage the text is parsed again
        return None


def write_entry(path: Path, dataset: Dataset) -> None:
    """Write an entry; do nothing if the cache is not writable."""
    n_train, n_test = (sum(series.size for series in part.X) for part in (dataset.train, dataset.test))
    small = {
        "digest": np.array(dataset.digest),
        "entry": np.array(path.stem),
        "n_train_values": np.array(n_train),
        **_pack(dataset.train, "train"),
        **_pack(dataset.test, "test"),
    }

    def write_values(file: IO[bytes]) -> None:
        # One series at a time, without a second copy of all values.
        header = {"descr": "<f8", "fortran_order": False, "shape": (n_train + n_test,)}
        np.lib.format.write_array_header_1_0(file, header)
        for series in dataset.train.X + dataset.test.X:
            file.write(np.ascontiguousarray(series, dtype="<f8").data)

    if write_quietly(path.with_suffix(".npy"), write_values):
        write_quietly(path, lambda file: np.savez(file, allow_pickle=False, **small))


def _pack(part: Part, prefix: str) -> dict[str, np.ndarray]:
    arrays = {
        f"{prefix}_lengths": part.lengths,
        f"{prefix}_n_channels": np.array(part.n_channels),
        f"{prefix}_channels": np.array(part.channels, dtype=np.str_),
        f"{prefix}_y": part.y,
    }
    return arrays if part.groups is None else {**arrays, f"{prefix}_groups": part.groups}


def _unpack(stored: np.lib.npyio.NpzFile, prefix: str, values: np.ndarray) -> Part:
    n_channels, lengths = int(stored[f"{prefix}_n_channels"]), stored[f"{prefix}_lengths"]
    if len(np.unique(lengths)) == 1:
        X = list(values.reshape(len(lengths), n_channels, int(lengths[0])))
    else:
        ends = np.cumsum(lengths * n_channels)
        X = [flat.reshape(n_channels, -1) for flat in np.split(values, ends[:-1])]
    groups = stored.get(f"{prefix}_groups")
    return Part(X, stored[f"{prefix}_y"], groups, tuple(stored[f"{prefix}_channels"].tolist()))


def _hash_of(path: Path) -> bytes:
    """Return the SHA-256 of a file. It is stored, and reused while size, times and inode are unchanged, as in git's index."""
    memo = cache_root() / "files" / (hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32] + ".json")
    before = _state(path)
    try:
        remembered = json.loads(memo.read_text(encoding="utf-8"))
        if remembered["state"] == before:
            return bytes.fromhex(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # the stored hash is absent or damaged: hash the file
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").digest()
    settled = time.time() - max(before[1:3]) / 1e9 > SETTLED_SECONDS
    if settled and _state(path) == before:
        text = json.dumps({"state": before, "sha256": sha.hex()})
        write_quietly(memo, lambda file: file.write(text.encode()))
    return sha


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]


def write_quietly(path: Path, write: Callable[[IO[bytes]], object]) -> bool:
    """Write a file of the cache atomically; return False if it cannot be written."""
    try:
        with atomic.replacing(path, durable=False) as draft, draft.open("xb") as file:
            write(file)
    except OSError:
        return False
    return True
