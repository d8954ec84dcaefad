"""Write a large output folder: the packed cells of the study under new names, 112 datasets × 20 methods × 30 resamples."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssd_cli.core.version import PROTOCOL_VERSION

ARCHIVE = Path(__file__).resolve().parents[1] / "results" / "study" / "lite40.tar.xz"
SIZE = (112, 20, 30)


def write(root: Path, size: tuple[int, int, int] = SIZE) -> int:
    """Write records and probabilities of `size` datasets, methods and resamples; return the number of records."""
    source = _source()
    datasets, methods, resamples = (sorted({key[place] for key in source}) for place in range(3))
    for dataset in range(size[0]):
        for method in range(size[1]):
            for resample in range(size[2]):
                key = datasets[dataset % len(datasets)], methods[method % len(methods)], resamples[resample % len(resamples)]
                _put(root, *source[key], (f"Dataset{dataset:03}", f"method-{method:02}", resample))
    return size[0] * size[1] * size[2]


def change(root: Path) -> None:
    """Change one true class in a file of probabilities, in place and without changing its size."""
    path = min(root.glob("seed0/*/Predictions/*/testResample0.csv"))
    content = path.read_bytes().split(b"\n")
    content[3] = (b"1" if content[3].startswith(b"0") else b"0") + content[3][1:]
    with path.open("r+b") as file:
        file.write(b"\n".join(content))


def _source() -> dict[tuple[str, str, int], tuple[dict[str, Any], bytes]]:
    """Return record and probabilities of every packed cell by dataset, method and resample."""
    records: dict[str, dict[str, Any]] = {}
    texts: dict[str, bytes] = {}
    for name, content in _files():
        stem, _, kind = name.rpartition(".")
        if kind == "json":
            records[stem] = json.loads(content)
        else:
            texts[stem] = content
    cells = {stem: record["cell"] for stem, record in records.items()}
    return {(cell["dataset"], cell["method"], cell["resample"]): (records[stem], texts[stem]) for stem, cell in cells.items()}


def _files() -> Iterator[tuple[str, bytes]]:
    with tarfile.open(ARCHIVE, mode="r:xz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def _put(root: Path, record: dict[str, Any], text: bytes, name: tuple[str, str, int]) -> None:
    dataset, method, resample = name
    cell = record["cell"] | {"dataset": dataset, "method": method, "resample": resample, "folder": f"{method}@lite"}
    digest = hashlib.sha256(dataset.encode()).hexdigest()
    identity = record["identity"] | {
        "dataset": dataset, "dataset_digest": digest, "resample": resample, "method": {"name": method, "parameters": {}},
        "protocol_version": PROTOCOL_VERSION,  # the cells are of version 1; their numbers do not matter here
    }  # fmt: skip
    first, second, rest = text.split(b"\n", 2)
    words = first.decode().split(",")
    words[0], words[1], words[3] = dataset, cell["folder"], str(resample)
    labels = json.loads(second) | {"method": method}
    text = b"\n".join([",".join(words).encode(), json.dumps(labels).encode(), rest])
    folder = root / "seed0" / cell["folder"] / "Predictions" / dataset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"testResample{resample}.csv").write_bytes(text)
    changed = record | {"cell": cell, "identity": identity, "predictions_sha256": hashlib.sha256(text).hexdigest()}
    (folder / f"testResample{resample}.json").write_text(json.dumps(changed, sort_keys=True), encoding="utf-8")
