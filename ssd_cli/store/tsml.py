"""Files of predictions in the format of tsml, for tsml-eval and the bake-off scripts.

Line 1 is ``dataset,estimator,TEST,resample,MILLISECONDS,comment``; line 2 is free (here JSON). Line 3 is
``accuracy,fit_time,predict_time,benchmark_time,memory,n_classes,estimate method,estimate time,fit and estimate time`` with -1 for
unknown. Every further line is ``true,predicted,,p0,p1,…`` with class indices. Probabilities are written with all digits of
float64, so that every score can be recomputed exactly.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ssd_cli.core.version import __version__
from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ssd_cli.store.record import CellRecord

    Ints = npt.NDArray[np.int64]
    Probabilities = npt.NDArray[np.float64]

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_CLASS = re.compile(r"\s*\d{1,9}(?:\.0*)?\s*", re.ASCII)
_FORMAT = (
    "Expected classification results in tsml format: dataset,estimator,TEST,resample,…, then parameters, then accuracy,fit time,"
    "predict time,benchmark,memory,n_classes,…, then true,predicted,,p0,p1,… for every case."
)


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


class Results(NamedTuple):
    """A parsed file: the values of its first line, its statistics, and per case (n_cases,) true and predicted class indices."""

    first: list[str]
    accuracy: str
    """As written in the statistics."""
    line: int
    """Number of the line with the statistics; above 3 if the parameters take several lines."""
    true: Ints
    predicted: Ints
    probabilities: Probabilities
    """Shape (n_cases, n_classes)."""

    def contradiction(self) -> str:
        """Return a sentence if the accuracy in the statistics is not that of the predictions (to three decimals at least)."""
        import numpy as np

        counted, n_decimals = float(np.mean(self.true == self.predicted)), max(3, decimals(self.accuracy))
        if abs(counted - float(self.accuracy)) <= 0.5 * 10.0**-n_decimals + 1e-9:
            return ""
        return f"line {self.line}: the accuracy is {self.accuracy}, but {counted:.6g} by the {len(self.true)} predictions below it"


def read(content: bytes, source: str | Path) -> tuple[Ints, Probabilities]:
    """Parse a file of this program: true class indices (n_cases,) and probabilities (n_cases, n_classes)."""
    remedy = "Delete the file and the .json beside it and run the same command again: only this cell is computed again."
    found = parse(content, source, remedy)
    return found.true, found.probabilities


def parse(content: bytes, source: str | Path, remedy: str = "") -> Results:
    """Check every line of a file of classification results; an SsdBenchError names the first line that differs from the format.

    The parameters may take several lines, as numpy breaks long arrays. The statistics may end after n_classes, as older files do,
    and a prediction may be followed by ``,,time`` and ``,,description``. `remedy` ends the error.
    """
    import numpy as np

    def malformed(line: int, why: str, expected: str) -> SsdBenchError:
        return SsdBenchError(f"{source}, line {line}: {why}.", expected, remedy)

    try:
        lines = content.decode("utf-8-sig").replace("\r\n", "\n").rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise malformed(1, "not UTF-8 text", _FORMAT) from error
    start = next((place for place, line in enumerate(lines[2:], start=2) if _statistics(line)), 0)
    if not start or _other_task(lines[2]):
        why = _other_task(lines[2]) if len(lines) > 2 else "the file ends before it"
        raise malformed(3, why or f"not the statistics: '{lines[2][:40]}'", _FORMAT)
    statistics = lines[start].split(",")
    n_classes = int(float(statistics[5]))
    if len(lines) == start + 1:
        raise malformed(start + 2, "no predictions", _FORMAT)
    classes, rows = [], []
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        parts = line.split(",")
        blanks = [parts[place].strip() for place in (2, n_classes + 3) if place < len(parts)]  # before p0, before the time
        if len(parts) < n_classes + 3 or any(blanks):
            raise malformed(number, f"'{line[:40]}' is not true,predicted,, and {n_classes} probabilities", _FORMAT)
        for part in parts[:2]:
            if not _CLASS.fullmatch(part) or float(part) >= n_classes:
                raise malformed(number, f"the class is '{part[:40]}'", f"Expected class indices from 0 to {n_classes - 1}.")
        texts = parts[3 : n_classes + 3]
        row = [float(text) if _NUMBER.fullmatch(text) else -1.0 for text in texts]
        if min(row) < 0 or max(row) > 1 + 1e-6:
            raise malformed(number, f"the probabilities are '{','.join(texts)[:40]}'", "Expected numbers from 0 to 1.")
        classes.append([int(float(part)) for part in parts[:2]])
        rows.append(row)
    true, predicted = np.array(classes, dtype=np.int64).T
    probabilities = np.array(rows, dtype=np.float64)
    return Results(lines[0].split(","), statistics[0].strip(), start + 1, true.copy(), predicted.copy(), probabilities)


def decimals(text: str) -> int:
    """Return the number of decimals of a number in a text (4 for ``1.5e-3``)."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _statistics(line: str) -> bool:
    """Whether a line is accuracy, four numbers, the number of classes, and nothing or a text and two numbers."""
    parts = [part.strip() for part in line.split(",")]
    numbers = parts[:5] + parts[7:]
    return (
        len(parts) in (6, 9)
        and all(map(_NUMBER.fullmatch, numbers))
        and 0 <= float(parts[0]) <= 1
        and bool(_CLASS.fullmatch(parts[5]))
        and float(parts[5]) >= 1
    )


def _other_task(line: str) -> str:
    """Say which other results have statistics of this form; empty for none."""
    parts = line.split(",")
    if not all(_NUMBER.fullmatch(part) for part in parts[:5]):
        return ""
    tasks = {7: "clustering", 8: "regression or forecasting"}
    return f"{len(parts)} values, as in results of {tasks[len(parts)]}" if len(parts) in tasks else ""


def _milliseconds(seconds: Any) -> str:
    return "-1" if seconds is None else repr(round(float(seconds) * 1000, 3))
