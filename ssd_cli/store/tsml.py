"""Files of predictions in the format of tsml, for tsml-eval and the bake-off scripts.

Line 1 is ``dataset,estimator,TEST,resample,MILLISECONDS,comment``; line 2 is free (here JSON). Line 3 is
``accuracy,fit_time,predict_time,benchmark_time,memory,n_classes,estimate method,estimate time,fit and estimate time`` with -1 for
unknown. Every further line is ``true,predicted,,p0,p1,…`` with class indices. Probabilities are written with all digits of
float64, so that every score can be recomputed exactly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core.version import __version__
from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ssd_cli.store.record import CellRecord

    Ints = npt.NDArray[np.int64]
    Probabilities = npt.NDArray[np.float64]


def write(record: CellRecord, y: Ints, probabilities: Probabilities) -> bytes:
    """Return the content of a file for true class indices (n_cases,) and probabilities (n_cases, n_classes).

    The first line names the cell; line 3 has ``fit_seconds_alone``, ``predict_seconds`` and ``peak_memory_bytes`` of its costs.
    """
    import numpy as np

    if probabilities.ndim != 2 or y.shape != probabilities.shape[:1] or not len(y):
        raise ValueError(f"y {y.shape} and probabilities {probabilities.shape} have different lengths")
    if not np.isfinite(probabilities).all():
        raise ValueError("a probability is not a finite number")
    predicted = probabilities.argmax(axis=1)
    cell = record.cell
    comment = f"Written by ssd-bench {__version__}; seed {cell.seed}; class indices in the order of the sorted labels"
    free = {"method": cell.method, "backbone": cell.backbone, "recipe": cell.recipe, "seed": cell.seed}
    third = [
        repr(float(np.mean(predicted == y))),
        _milliseconds(record.costs.get("fit_seconds_alone")),
        _milliseconds(record.costs.get("predict_seconds")),
        "-1",
        str(record.costs.get("peak_memory_bytes") or -1),
        str(probabilities.shape[1]),
        "",
        "-1",
        "-1",
    ]
    lines = [
        ",".join([cell.dataset.replace(",", ";"), cell.folder, "TEST", str(cell.resample), "MILLISECONDS", comment]),
        json.dumps(free),
        ",".join(third),
    ]
    for true, guess, row in zip(y.tolist(), predicted.tolist(), probabilities.astype(np.float64).tolist(), strict=True):
        lines.append(f"{true},{guess},,{','.join(map(repr, row))}")
    return ("\n".join(lines) + "\n").encode()


def read(content: bytes, source: str | Path) -> tuple[Ints, Probabilities]:
    """Parse a file: true class indices (n_cases,) and probabilities (n_cases, n_classes). An error names the malformed line."""
    import numpy as np

    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise _malformed(source, 1, "not text") from error
    try:
        n_classes = int(lines[2].split(",")[5])
    except (IndexError, ValueError) as error:
        raise _malformed(source, 3, "no number of classes as the sixth value") from error
    if len(lines) < 4:
        raise _malformed(source, 4, "no predictions")
    y, rows = [], []
    for number, line in enumerate(lines[3:], start=4):
        parts = line.split(",")
        try:
            if len(parts) != n_classes + 3 or parts[2]:
                raise ValueError
            y.append(int(parts[0]))
            rows.append([float(part) for part in parts[3:]])
        except ValueError as error:
            raise _malformed(source, number, f"not true,predicted,, and {n_classes} probabilities") from error
    true, probabilities = np.array(y, dtype=np.int64), np.array(rows, dtype=np.float64)
    outside = np.flatnonzero((true < 0) | (true >= n_classes) | ~np.isfinite(probabilities).all(axis=1))
    if outside.size:
        raise _malformed(source, int(outside[0]) + 4, f"a class outside 0 to {n_classes - 1} or a probability that is no number")
    return true, probabilities


def _milliseconds(seconds: Any) -> str:
    return "-1" if seconds is None else repr(round(float(seconds) * 1000, 3))


def _malformed(source: str | Path, line: int, why: str) -> SsdBenchError:
    return SsdBenchError(
        f"{source}, line {line}: {why}.",
        "Expected a file of predictions in tsml format.",
        "Delete the file and the .json beside it and run the same command again: only this cell is computed again.",
    )
