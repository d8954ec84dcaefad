"""Read a folder of tsml results, ``<estimator>/Predictions/<dataset>/testResample<k>.csv``; every accuracy is counted anew."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.external.result import External, Protocol, default_split, plain
from ssd_cli.store import tsml

_FILE = re.compile(r"testResample(\d{1,9})\.csv", re.ASCII)


def read_tsml(root: Path, resamples: set[int]) -> list[External]:
    """Read all estimators of a folder, averaged over `resamples`, or over all that it has.

    A file that is no classification result, or contradicts itself or its place, raises an SsdBenchError.
    """
    found: dict[str, dict[str, dict[int, Path]]] = {}
    for path in sorted(root.glob("*/Predictions/*/testResample*.csv")):
        match = _FILE.fullmatch(path.name)
        if match:
            found.setdefault(path.parts[-4], {}).setdefault(path.parts[-2], {})[int(match[1])] = path
    if not found:
        raise SsdBenchError(
            f"{root} holds no tsml results.", "Expected <estimator>/Predictions/<dataset>/testResample<k>.csv below it."
        )
    wanted = resamples or {k for datasets in found.values() for files in datasets.values() for k in files}
    text = f"tsml resample{'s' * (len(wanted) > 1)} {', '.join(map(str, sorted(wanted)))}"
    protocol = default_split if wanted == {0} else Protocol(text, None)
    externals = []
    for estimator, datasets in found.items():
        complete = {name: files for name, files in datasets.items() if wanted <= files.keys()}
        scores = {name: sum(_recounted(files[k], name, k) for k in wanted) / len(wanted) for name, files in complete.items()}
        gaps = dict.fromkeys(datasets.keys() - complete.keys(), f"lacks some of {text}")
        externals.append(
            External(f"{estimator} ({root.name})", estimator, "foreign", protocol, scores, f"{root.name}, {text}", gaps)
        )
    return externals


def _recounted(path: Path, dataset: str, resample: int) -> float:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SsdBenchError(f"Cannot read {path}: {error.strerror}.") from error
    results = tsml.parse(content, path)
    if contradiction := results.contradiction():
        raise SsdBenchError(f"{path}, {contradiction}.", "Expected the same accuracy.", "Write the file again, or remove it.")
    named, split, number = (results.first[place].strip() if place < len(results.first) else "" for place in (0, 2, 3))
    for what, there, here, same in (
        ("split", split, "TEST", split.upper() == "TEST"),
        ("dataset", named, dataset, plain(named) == plain(dataset)),
        ("resample", number, str(resample), number in (str(resample), "None")),
    ):
        if not same:
            raise SsdBenchError(
                f"{path}, line 1: the {what} is '{there[:40]}'.",
                f"Expected '{here}', by the name of the file and of its folder.",
                "Move the file to its place, or remove it.",
            )
    return float(np.mean(results.true == results.predicted))
