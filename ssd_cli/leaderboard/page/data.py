"""The data of the page, as a header and arrays: cells, datasets, methods, metrics, curves, provenance, failures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.catalog import archives, size, type_of
from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.collect import collect
from ssd_cli.leaderboard.conditions import CONDITIONS, condition_codes
from ssd_cli.leaderboard.external.result import External, matched
from ssd_cli.leaderboard.external.sources import NONE, ExternalSources, by_resamples
from ssd_cli.leaderboard.page.details import Details, Reader
from ssd_cli.leaderboard.ranking import grid_of, rank_methods
from ssd_cli.metrics import DEFAULT_COST, MATCHED, METRICS, RANKED, metrics
from ssd_cli.statistics.cliques import RULE
from ssd_cli.statistics.ranks import TIE
from ssd_cli.statistics.rounding import EXACT
from ssd_cli.statistics.tests import judge, names
from ssd_cli.statistics.wilcoxon import EXACT_UP_TO

if TYPE_CHECKING:
    import pandas as pd


STATUSES = ("ok", "failed", "skipped")
SIZES = ("n_train", "n_test", "n_channels", "n_timepoints", "n_classes")

_ALIGNMENT = 8
"""Bytes; a typed array must start at a multiple of its item size."""

_TYPES = {"u1": "Uint8Array", "u2": "Uint16Array", "u4": "Uint32Array", "f4": "Float32Array", "f8": "Float64Array"}


def payload(
    folders: list[Path],
    *,
    reader: Reader | None = None,
    about: dict[str, Any] | None = None,
    on_reading: Callable[[int], None] | None = None,
    on_warning: Callable[[str], None] = lambda text: None,
    externals: ExternalSources = NONE,
) -> bytes:
    """Return the block that the page embeds; absent or incomparable results raise an SsdBenchError.

    `reader` caches details of records between calls. `about` has entries of the header: version, time, progress of a run.
    `on_reading` receives the number of new or changed records before they are read, `on_warning` each warning about the cells.
    """
    cells = collect(folders, on_reading)
    for text in cells.warnings:
        on_warning(text)
    frame = cells.frame.sort_values(["dataset", "name", "resample", "seed"], kind="stable").reset_index(drop=True)
    own, datasets = sorted(frame["name"].unique()), sorted(frame["dataset"].unique())
    grid = sorted(grid_of(frame))
    others, choices = by_resamples(externals, own, datasets, grid)
    methods = sorted([*_methods(frame, own), *others], key=lambda method: method["name"])
    names = [method["name"] for method in methods]
    columns = [one for one in metrics("page") if one.source == "record" and one.key in frame and frame[one.key].notna().any()]
    arrays = _arrays(frame, datasets, names, grid)
    arrays["columns"] = np.array([frame[one.key].to_numpy(np.float64) for one in columns], dtype=np.float32)
    details = _details(frame, arrays, reader or Reader())
    header = {
        **(about or {}),
        "datasets": [{"name": name, **_catalogued(name)} for name in datasets],
        "methods": methods,
        "external": choices,
        "tests": other_tests(frame, matched(externals.read({pair[0] for pair in grid}), datasets)[0], names, datasets),
        "runs": grid,
        "statuses": STATUSES,
        "conditions": _conditions(frame, arrays["conditions"]),
        "score": METRICS[RANKED].to_json(),
        "columns": [one.to_json() for one in columns],
        "derived": [one.to_json() for one in metrics("page") if one.source == "derived"],
        "cost": DEFAULT_COST,
        "warnings": list(cells.warnings),
        "rules": {"numbers": {"tie": TIE, "exactUpTo": EXACT_UP_TO, "decimals": EXACT, "matched": MATCHED}, "cliques": RULE},
        **_provenance(frame, details, arrays),
        **_failures(frame, details),
    }
    header["curves"] = _curves(details, arrays)
    return pack(header, arrays)


def _arrays(frame: pd.DataFrame, datasets: list[str], names: list[str], grid: list[tuple[int, int]]) -> dict[str, npt.NDArray[Any]]:
    place = {pair: number for number, pair in enumerate(grid)}
    pairs = zip(frame["resample"].tolist(), frame["seed"].tolist(), strict=True)
    return {
        "dataset": _codes(frame["dataset"], datasets).astype(np.uint16),
        "method": _codes(frame["name"], names).astype(np.uint16),
        "run": np.array([place[pair] for pair in pairs], dtype=np.uint16),
        "status": _codes(frame["status"], list(STATUSES)).astype(np.uint8),
        "accuracy": frame["accuracy"].to_numpy(np.float64),
        "conditions": condition_codes(frame).astype(np.uint16),
    }


def _catalogued(name: str) -> dict[str, Any]:
    found = size(name)
    known: dict[str, Any] = {"archives": [archive for archive, names in archives().items() if name in names], "type": type_of(name)}
    known |= {key: getattr(found, key) for key in SIZES} if found is not None else {}
    return {key: value for key, value in known.items() if value not in (None, "", [])}


def _codes(values: pd.Series, categories: list[str]) -> npt.NDArray[Any]:
    import pandas as pd

    return pd.Categorical(values, categories=categories).codes


def _conditions(frame: pd.DataFrame, codes: npt.NDArray[Any]) -> list[dict[str, Any]]:
    first = frame.iloc[np.unique(codes, return_index=True)[1]]
    return [{name: str(first[name].iat[code]) for name in CONDITIONS} for code in range(len(first))]


def _methods(frame: pd.DataFrame, names: list[str]) -> list[dict[str, str]]:
    first = frame.drop_duplicates("name").set_index("name")
    keys = [key for key in ("method", "backbone", "recipe", "folder") if key in first]
    return [{"name": name, **{key: str(first.loc[name, key]) for key in keys}} for name in names]


def _details(frame: pd.DataFrame, arrays: dict[str, npt.NDArray[Any]], reader: Reader) -> list[Details]:
    """Return the details of every record, with curves of the first result of each dataset × method (all need 100 MB)."""
    first = np.zeros(len(frame), dtype=bool)
    done = np.flatnonzero(arrays["status"] == 0)
    place = arrays["dataset"].astype(np.int64) * (int(arrays["method"].max()) + 1) + arrays["method"]
    first[done[np.unique(place[done], return_index=True)[1]]] = True
    roots, paths = frame["root"].tolist(), frame["path"].tolist()
    return [reader.read(Path(f"{root}/{path}.json"), bool(curve)) for root, path, curve in zip(roots, paths, first, strict=True)]


def _provenance(frame: pd.DataFrame, details: list[Details], arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return distinct provenances; add to `arrays` provenance, time, folder and 12 digits of the identity of every cell."""
    known: dict[str, int] = {}
    texts = (json.dumps(one.provenance, sort_keys=True) for one in details)
    arrays["provenance"] = np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.uint32)
    arrays["finished"] = np.array([one.finished for one in details], dtype=np.uint32)
    hashes = b"".join(bytes.fromhex(str(value)[:12].ljust(12, "0")) for value in frame["identity_hash"])
    arrays["identity"] = np.frombuffer(hashes, dtype=np.uint8)
    roots = list(dict.fromkeys(frame["root"]))
    arrays["root"] = _codes(frame["root"], roots).astype(np.uint16)
    return {"provenances": [json.loads(text) for text in known], "roots": [Path(root).name for root in roots]}


def _failures(frame: pd.DataFrame, details: list[Details]) -> dict[str, Any]:
    texts: dict[str, int] = {}
    rows = []
    for cell in np.flatnonzero((frame["status"] != "ok").to_numpy()).tolist():
        reason = texts.setdefault(str(frame["reason"].iat[cell]), len(texts))
        rows.append([cell, reason, texts.setdefault(details[cell].traceback, len(texts))])
    return {"failures": rows, "failureTexts": list(texts)}


def _curves(details: list[Details], arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return curves with one byte per point: 256 steps between the extreme losses, logarithmic if all are positive."""
    labels: dict[str, int] = {}
    rows, points = [], []
    for cell, one in enumerate(details):
        for curve in one.curves:
            values = np.array(curve.values)
            logarithmic = bool(values.min() > 0)
            scaled = np.log(values) if logarithmic else values
            low, high = float(scaled.min()), float(scaled.max())
            points.append(np.round(255 * (scaled - low) / ((high - low) or 1)).astype(np.uint8))
            label = labels.setdefault(curve.label, len(labels))
            ends = [float(f"{end:.5g}") for end in (low, high)]
            rows.append([cell, label, curve.epochs, len(values), int(logarithmic), *ends, one.n_networks])
    arrays["points"] = np.concatenate(points) if points else np.zeros(0, dtype=np.uint8)
    return {"rows": rows, "labels": list(labels)}


def pack(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """Return header and arrays (unsigned integers of 1, 2 or 4 bytes or floats of 4 or 8) as one deterministic block.

    The block is the gzip of: length of the JSON (4 bytes, little-endian), the JSON with the place of every array, the arrays.
    """
    places, blocks, start = {}, [], 0
    for name, array in arrays.items():
        kind = f"{array.dtype.kind}{array.dtype.itemsize}"
        block = np.ascontiguousarray(array, dtype=f"<{kind}").tobytes()
        places[name] = {"type": _TYPES[kind], "start": start, "length": int(array.size)}
        blocks.append(block + bytes(-len(block) % _ALIGNMENT))
        start += len(blocks[-1])
    text = json.dumps({**header, "arrays": places}, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 4) % _ALIGNMENT)
    return gzip.compress(b"".join([len(text).to_bytes(4, "little"), text, *blocks]), compresslevel=6, mtime=0)


ALPHA = 0.05
POLICIES = ("complete", "worst-rank")


def other_tests(frame: pd.DataFrame, externals: list[External], methods: list[str], datasets: list[str]) -> list[dict[str, Any]]:
    """Apply every registered test to all results, except the default, which the page computes for any selection.

    Returns
    -------
    list of dict
        "name", "policy", "alpha", "sentence" and "pairs": [method, method, adjusted p, whether they differ]. Tests that need more
        methods, and policies that leave no dataset, are omitted.
    """
    found = []
    for policy in POLICIES if len(methods) > 1 else ():
        try:
            ranking = rank_methods(frame, externals, datasets, policy)
        except SsdBenchError:
            continue
        place = [methods.index(name) for name in ranking.names]
        pairs = list(zip(*(part.tolist() for part in np.triu_indices(len(place), k=1)), strict=True))
        for name in names()[1:]:
            try:
                verdicts = judge(ranking.filled, name, ALPHA)
            except SsdBenchError:
                continue
            p, different = verdicts.tests.adjusted, verdicts.tests.different
            rows = [[place[i], place[j], float(f"{p[i, j]:.6g}"), bool(different[i, j])] for i, j in pairs]
            found.append({"name": name, "policy": policy, "alpha": ALPHA, "sentence": verdicts.test, "pairs": rows})
    return found
