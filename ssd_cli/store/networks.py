"""Trained networks on disk: each is trained once and shared, and a damaged file is not used.

    <root>/networks/<ab>/<sha256 of the file>.safetensors    the weights; the name is the digest of the content
    <root>/networks/<cd>/<key>.json                          the key, the name of the weights, and the report of the training

Two methods with the same weights share one file, and ``sha256sum`` checks whether a file is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core import atomic
from ssd_cli.core.claims import Claims
from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    import numpy.typing as npt

    Arrays = Mapping[str, npt.NDArray]
    Trained = tuple[Arrays, dict[str, Any]]

_NAME = re.compile(r"[0-9a-f]{64}")


class NetworkStore:
    """The networks of one output folder, in its folder ``networks``.

    While another process trains a network, `obtain` looks every `poll_seconds` whether it has finished.
    """

    def __init__(self, root: Path, poll_seconds: float = 0.2) -> None:
        self.folder = Path(root) / "networks"
        self._root = Path(root)
        self._temporary = Path(root) / ".tmp"
        self._claims = Claims(Path(root) / ".claims")
        self._poll_seconds = poll_seconds

    def obtain(self, key: str, train: Callable[[], Trained]) -> tuple[Arrays, dict[str, Any], bool]:
        """Return the network of a key; train it if it is missing, and wait while another live process trains it.

        The key is the digest of everything that determines the weights, as 64 hexadecimal digits. `train` returns the weights and a
        report (plain JSON values) of their training. The third result is false if this call trained the network.
        """
        while True:
            found = self.find(key)
            if found is not None:
                return *found, True
            with atomic.writing_to(self._root):
                claim = self._claims.take(f"network-{key}", "a shared network")
            if claim is None:
                time.sleep(self._poll_seconds)
                continue
            with claim:
                found = self.find(key)  # finished between the first look and the claim
                if found is not None:
                    return *found, True
                arrays, report = train()
                self._put(key, arrays, report)
                return arrays, report, False

    def find(self, key: str) -> Trained | None:
        """Return the network of `key`, or None if it is missing or damaged, so that it is trained again."""
        entry = self._entry(key)
        arrays = None if entry is None else _read(self._weights(entry["weights"]), entry["weights"])
        return None if entry is None or arrays is None else (arrays, entry["report"])

    def save(self, arrays: Arrays) -> tuple[str, int]:
        """Write the weights of a predictor; return the file's digest, which is its name, and its size in bytes."""
        name, content = _serialise(arrays)
        path = self._weights(name)
        if not _is_whole(path, name):
            self._write([(path, content)])
        return name, len(content)

    def load(self, name: str) -> Arrays:
        """Return the weights that `save` wrote; raise SsdBenchError if the file is missing or damaged."""
        arrays = _read(self._weights(name), name)
        if arrays is None:
            raise SsdBenchError(
                f"The network {self._weights(name)} is missing or damaged.",
                "Expected a file whose SHA-256 is its name.",
                "Delete the records that name it and run the same command again: only these cells are computed again.",
            )
        return arrays

    def discard(self, keys: Iterable[str], keep: Iterable[str] = ()) -> int:
        """Delete the networks of `keys` except the weights named in `keep`; return the number of freed bytes."""
        kept, freed = set(keep), 0
        for key in keys:
            entry = self._entry(key)
            if entry is None or entry["weights"] in kept:
                continue
            weights = self._weights(entry["weights"])
            freed += weights.stat().st_size if weights.is_file() else 0
            self._report(key).unlink(missing_ok=True)
            weights.unlink(missing_ok=True)
        return freed

    def _entry(self, key: str) -> dict[str, Any] | None:
        try:
            entry = json.loads(atomic.content(self._report(key)) or b"")
        except ValueError:
            return None
        whole = isinstance(entry, dict) and isinstance(entry.get("report"), dict) and _NAME.fullmatch(str(entry.get("weights")))
        return entry if whole and entry.get("key") == key and entry.get("sha256") == _digest(entry) else None

    def _put(self, key: str, arrays: Arrays, report: dict[str, Any]) -> None:
        name, content = _serialise(arrays)
        entry = {"key": key, "weights": name, "report": report}
        text = json.dumps({**entry, "sha256": _digest(entry)})
        self._write([(self._weights(name), content), (self._report(key), text.encode())])

    def _write(self, files: list[tuple[Path, bytes]]) -> None:
        with atomic.writing_to(self._root):
            atomic.write(files, self._temporary)

    def _weights(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.safetensors"

    def _report(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _serialise(arrays: Arrays) -> tuple[str, bytes]:
    import numpy as np
    from safetensors.numpy import save

    content = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    return hashlib.sha256(content).hexdigest(), content


def _read(path: Path, name: str) -> Arrays | None:
    """Return the arrays of a file whose digest is `name`; None if it is missing or damaged."""
    from safetensors.numpy import load

    content = atomic.content(path)
    return load(content) if content is not None and hashlib.sha256(content).hexdigest() == name else None


def _is_whole(path: Path, name: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == name


def _digest(entry: dict[str, Any]) -> str:
    """Return the SHA-256 of a key's entry; Python writes floats so that they read back exactly."""
    text = json.dumps([entry["key"], entry["weights"], entry["report"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
