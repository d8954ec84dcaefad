"""Pack the records and probabilities of a suite into one .tar.xz without the networks, and unpack it.

    python benchmarks/study/pack.py pack --cells results/study/cells --out results/study
    python benchmarks/study/pack.py unpack --archives results/study --cells results/study/cells

An unpacked folder works like any output folder: ``ssd-bench recount``, ``compare`` and ``report`` read it, and ``ssd-bench run``
resumes it.

Probabilities are rounded to `DIGITS` significant digits (to one below the 1e-7 at which the negative log-likelihood clips), since
float64 takes twice the space. The packed records hold the scores of the rounded probabilities, so that a recount is exact. A cell
keeps all digits if its accuracy, balanced accuracy or macro F1 would change at all, or another score by more than `TOLERANCE`.
Packing an unpacked folder gives the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import lzma
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd_cli.errors import SsdBenchError
from ssd_cli.metrics import NLL_CLIP, all_scores
from ssd_cli.store import tsml
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore

DIGITS = 5
TOLERANCE = 1e-5
EXACT = ("accuracy", "balanced_accuracy", "macro_f1")
MARK = "probabilities_rounded"


@dataclass
class Packed:
    """Number of cells, of cells with all digits, the largest change of a score, and bytes."""

    n_cells: int = 0
    n_full: int = 0
    largest: float = 0.0
    size: int = 0


def rounded(probabilities: np.ndarray) -> np.ndarray:
    """Round to `DIGITS` significant digits, and to one below the clip of the negative log-likelihood."""
    with np.errstate(divide="ignore"):
        exponents = np.floor(np.log10(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities)))
    decimals = np.where(probabilities < NLL_CLIP, 0, DIGITS - 1) - exponents
    # as text and back: the same float that a reader of the digits gets
    flat = [float(f"{value:.{max(0, int(places))}f}") for value, places in zip(probabilities.flat, decimals.flat, strict=True)]
    return np.array(flat).reshape(probabilities.shape)


def compact(record: CellRecord, y: np.ndarray, probabilities: np.ndarray) -> tuple[CellRecord, np.ndarray, float]:
    """Return the record and the probabilities to pack, and the largest change of a score."""
    if MARK in record.provenance:
        return record, probabilities, 0.0
    short = rounded(probabilities)
    before, after = all_scores(y, probabilities), all_scores(y, short)
    changes = {name: abs(after[name] - before[name]) for name in before}
    if any(changes[name] > 0 for name in EXACT) or max(changes.values()) > TOLERANCE:
        return record, probabilities, 0.0
    text = f"to {DIGITS} significant digits by benchmarks/study/pack.py; scores recounted"
    scores = record.scores | {name: value for name, value in after.items() if name in record.scores}
    kept = dataclasses.replace(record, scores=scores, provenance=record.provenance | {MARK: text})
    return kept, short, max(changes.values())


def pack(folder: Path, archive: Path) -> Packed:
    """Write all cells of an output folder into an archive."""
    store, done, content = ResultStore(folder), Packed(), io.BytesIO()
    # cells that share a network stand side by side, so that their curves compress well
    records = sorted(store.records(), key=lambda one: (one.cell.dataset, one.cell.resample, one.cell.seed, one.cell.folder))
    with tarfile.open(fileobj=content, mode="w") as tar:
        for record in records:
            predictions, path = store.paths(record.cell)
            done.n_cells += 1
            if record.status == "ok":
                y, probabilities = store.predictions(record.cell)
                record, probabilities, change = compact(record, y, probabilities)  # noqa: PLW2901 - as it is kept
                done.largest, done.n_full = max(done.largest, change), done.n_full + (MARK not in record.provenance)
                text = tsml.write(record, y, probabilities)
                record = dataclasses.replace(record, predictions_sha256=hashlib.sha256(text).hexdigest())  # noqa: PLW2901
                _add(tar, predictions.relative_to(folder), text)
            _add(tar, path.relative_to(folder), record.to_json().encode())
    archive.parent.mkdir(parents=True, exist_ok=True)
    draft = archive.with_suffix(".tmp")
    draft.write_bytes(lzma.compress(content.getvalue(), preset=6 | lzma.PRESET_EXTREME))
    draft.replace(archive)
    done.size = archive.stat().st_size
    return done


def unpack(archive: Path, folder: Path) -> int:
    """Unpack an archive into a folder without cells; return the number of files.

    Raises
    ------
    SsdBenchError
        If the folder holds cells.
    """
    if any(folder.glob("seed*")):
        raise SsdBenchError(f"{folder} holds cells already.", "Expected an empty folder.", "Move it away, or use it as it is.")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, mode="r:xz") as tar:
        tar.extractall(folder, filter="data")
        return len(tar.getnames())


def _add(tar: tarfile.TarFile, name: Path, content: bytes) -> None:
    entry = tarfile.TarInfo(name.as_posix())
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def main() -> None:
    """Pack or unpack all suites, or those that --suite names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("pack", "unpack"))
    parser.add_argument("--cells", type=Path, default=Path("results/study/cells"))
    parser.add_argument("--archives", "--out", type=Path, default=Path("results/study"))
    parser.add_argument("--suite", action="append", help="only this suite; repeatable")
    options = parser.parse_args()
    if options.command == "unpack":
        for archive in sorted(options.archives.glob("*.tar.xz")):
            suite = archive.name.removesuffix(".tar.xz")
            if not options.suite or suite in options.suite:
                print(f"{suite}: {unpack(archive, options.cells / suite)} files")
        return
    for folder in sorted(path for path in options.cells.iterdir() if any(path.glob("seed*"))):
        if not options.suite or folder.name in options.suite:
            one = pack(folder, options.archives / f"{folder.name}.tar.xz")
            print(f"{folder.name}: {one.n_cells} cells, {one.size / 1e6:.2f} MB; ", end="")
            print(f"largest change of a score {one.largest:.1e}; {one.n_full} cells with all digits")


if __name__ == "__main__":
    try:
        main()
    except SsdBenchError as error:
        sys.exit(str(error))
