"""Compute every score again from the stored probabilities, and compare it with the record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.metrics import all_scores
from ssd_cli.store import tsml
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore, no_results

TOLERANCE = 1e-12
"""The stored probabilities are exact, but another version of numpy may add in another order."""


@dataclass
class Recount:
    """The result of recomputing the scores of a folder."""

    n_records: int = 0
    n_recounted: int = 0
    """Records with predictions; a failed cell has no predictions."""
    n_scores: int = 0
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """All recomputed scores, by the relative path of the record without suffix."""
    problems: list[str] = field(default_factory=list)
    """One sentence per problem, which begins with the file."""
    not_recountable: set[str] = field(default_factory=set)
    """Scores that need more than the stored probabilities, such as those of a teacher."""


def recount(root: Path) -> Recount:
    """Compute every score of a folder of results again, and compare it with the record."""
    root = Path(root)
    if not root.is_dir():
        raise MisuseError(f"There is no folder {root}.", "Expected the output folder of 'ssd-bench run'.")
    found = Recount()
    truths: dict[tuple[str, int], tuple[str, Path]] = {}
    for path in sorted(root.glob("seed*/*/Predictions/*/testResample*.json")):
        found.n_records += 1
        try:
            record = CellRecord.from_json(path.read_bytes(), str(path))
            ResultStore(root).check_place(record, path)
        except SsdBenchError as error:
            found.problems.append(error.what)
            continue
        if record.status == "ok":
            found.problems += _recount_one(found, root, path, record, truths)
    if not found.n_records:
        raise no_results(root)
    return found


def _recount_one(
    found: Recount, root: Path, path: Path, record: CellRecord, truths: dict[tuple[str, int], tuple[str, Path]]
) -> Iterator[str]:
    predictions = path.with_suffix(".csv")
    try:
        content = predictions.read_bytes()
        results = tsml.parse(content, predictions)
    except FileNotFoundError:
        yield f"{predictions}: the file is missing, so the scores of the record cannot be checked."
        return
    except SsdBenchError as error:
        yield error.what
        return
    found.n_recounted += 1
    if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
        yield f"{predictions}: changed after it was written; its SHA-256 is not the recorded one."
    if contradiction := results.contradiction():
        yield f"{predictions}, {contradiction}."
    digest = hashlib.sha256(results.true.tobytes()).hexdigest()
    truth, first = truths.setdefault((record.cell.dataset, record.cell.resample), (digest, predictions))
    if digest != truth:
        yield f"{predictions}: its true classes are not those of {first}, which has the same dataset and resample."
    scores = all_scores(results.true, results.probabilities)
    found.scores[path.relative_to(root).as_posix().removesuffix(".json")] = scores
    found.not_recountable |= record.scores.keys() - scores.keys()
    for name in record.scores.keys() & scores.keys():
        found.n_scores += 1
        if abs(record.scores[name] - scores[name]) > TOLERANCE:
            yield f"{path}: {name} is {record.scores[name]!r} in the record, {scores[name]!r} from its probabilities."
