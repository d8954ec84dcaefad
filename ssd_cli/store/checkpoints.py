"""Checkpoints of unfinished trainings, so that a killed process can be resumed.

    <root>/.checkpoints/<key>.checkpoint    a line of JSON, then the tensors as safetensors

The process that holds the claim of the cell or of the shared network writes checkpoints, and removes them after it has stored the
result. A damaged checkpoint is not used, nor is one from other sources, another torch or another processor: bits would differ.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core import atomic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy.typing as npt

    Arrays = Mapping[str, npt.NDArray]

_SUFFIX = ".checkpoint"
_OLD_SECONDS = 30 * 86400
"""Age at which a checkpoint without a record is removed, since its configuration is probably no longer used."""


class CheckpointStore:
    """The checkpoints of one output folder; `made_with` names the program and the processor of this run."""

    def __init__(self, root: Path, made_with: str = "") -> None:
        self._root, self._made_with = Path(root), made_with
        self._folder = self._root / ".checkpoints"

    def save(self, key: str, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Write arrays and plain JSON values; an earlier checkpoint of the key is replaced."""
        import numpy as np
        from safetensors.numpy import save

        body = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        head = {"key": key, "made_with": self._made_with, "facts": facts}
        line = json.dumps({**head, "sha256": _digest(head, body)})
        with contextlib.suppress(atomic.StorageError), atomic.writing_to(self._root):  # training continues without a checkpoint
            atomic.make_folder(self._folder)
            atomic.write([(self._path(key), line.encode() + b"\n" + body)], self._root / ".tmp")

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Return the last checkpoint of a key, or None if there is no usable one."""
        from safetensors.numpy import load

        line, _, body = (atomic.content(self._path(key)) or b"").partition(b"\n")
        try:
            head = json.loads(line)
            sha256 = head.pop("sha256")
        except (ValueError, KeyError, AttributeError, TypeError):
            return None
        if (head.get("key"), head.get("made_with")) != (key, self._made_with) or sha256 != _digest(head, body):
            return None
        return load(body), head["facts"]

    def discard(self, key: str) -> None:
        """Remove the checkpoint of a key."""
        _remove(self._path(key))

    def discard_cell(self, identity_hash: str) -> None:
        """Remove the checkpoints of a cell, whose names are the hash of its identity and a number."""
        for path in self._folder.glob(f"{identity_hash}-*{_SUFFIX}"):
            _remove(path)

    def count(self) -> int:
        """Return the number of checkpoints of all runs."""
        return len(list(self._folder.glob(f"*{_SUFFIX}")))

    def clean(self, finished: Collection[str]) -> None:
        """Remove the checkpoints of finished cells (by hash) and stored networks, and those older than 30 days."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            name, of_cell, _ = path.stem.partition("-")
            network = self._root / "networks" / name[:2] / f"{name}.json"
            if (name in finished if of_cell else network.exists()) or _is_old(path):
                _remove(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # a leftover checkpoint is harmless
        path.unlink()


def _is_old(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > _OLD_SECONDS
    return False


def _digest(head: dict[str, Any], body: bytes) -> str:
    """Return the SHA-256 of a checkpoint; JSON preserves floats exactly, so the digest is the same after reading."""
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode() + body).hexdigest()
