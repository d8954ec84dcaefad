"""States of unfinished trainings on disk, so that what a killed process had trained is not lost.

    <root>/.checkpoints/<key>.checkpoint    a line of JSON, then the tensors as safetensors

Whoever holds the claim of the cell or of the shared network writes them; they are removed with its result. One that is damaged, or
was made by other sources of this program, another version of torch or on another processor, whose bits would differ, is not used.
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
"""Nobody goes on with a training of another configuration, of which no record tells."""


class CheckpointStore:
    """The checkpoints of one folder of results.

    Parameters
    ----------
    root : Path
        The output folder of ``ssd-bench run``.
    made_with : str
        The program and the processor that train here.
    """

    def __init__(self, root: Path, made_with: str = "") -> None:
        self._root, self._made_with = Path(root), made_with
        self._folder = self._root / ".checkpoints"

    def save(self, key: str, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Keep arrays and plain JSON values in the place of what the key had before."""
        import numpy as np
        from safetensors.numpy import save

        body = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        head = {"made_with": self._made_with, "facts": facts}
        line = json.dumps({**head, "sha256": _digest(head, body)})
        with contextlib.suppress(atomic.StorageError), atomic.writing_to(self._root):  # a disk that is full needs no checkpoint
            atomic.make_folder(self._folder)
            atomic.write([(self._path(key), line.encode() + b"\n" + body)], self._root / ".tmp")

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """What was last saved under a key; None where there is nothing that can be gone on with."""
        from safetensors.numpy import load

        line, _, body = (atomic.content(self._path(key)) or b"").partition(b"\n")
        try:
            head = json.loads(line)
            sha256 = head.pop("sha256")
        except (ValueError, KeyError, AttributeError, TypeError):
            return None
        if head.get("made_with") != self._made_with or sha256 != _digest(head, body):
            return None
        return load(body), head["facts"]

    def discard(self, key: str) -> None:
        """Forget a key."""
        _remove(self._path(key))

    def discard_cell(self, identity_hash: str) -> None:
        """Forget the trainings of a cell: those named by its identity's hash and a number."""
        for path in self._folder.glob(f"{identity_hash}-*{_SUFFIX}"):
            _remove(path)

    def count(self) -> int:
        """How many trainings have one, whoever made it."""
        return len(list(self._folder.glob(f"*{_SUFFIX}")))

    def clean(self, finished: Collection[str]) -> None:
        """Forget what a process that died left behind: of cells with these hashes, of stored networks, and what is a month old."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            name, of_cell, _ = path.stem.partition("-")
            network = self._root / "networks" / name[:2] / f"{name}.json"
            if (name in finished if of_cell else network.exists()) or _is_old(path):
                _remove(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # it is only in the way
        path.unlink()


def _is_old(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > _OLD_SECONDS
    return False


def _digest(head: dict[str, Any], body: bytes) -> str:
    """Python writes a float so that it reads back to the same digits."""
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode() + body).hexdigest()
