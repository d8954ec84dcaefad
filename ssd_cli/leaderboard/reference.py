"""Reference of the gate: the scores of a run with several seeds, and their provenance, in two small files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core import atomic
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.collect import Cells
from ssd_cli.store.record import CellRecord

if TYPE_CHECKING:
    import pandas as pd

CELLS, ABOUT = "cells.csv", "reference.json"
KEY = ["dataset", "method", "backbone", "recipe", "resample", "seed"]
SCORES = ("accuracy", "nll")
LEAST_SEEDS = 3
"""Minimum number of seeds of every group, from which a spread can be estimated."""
CAUSES = {"dataset_digest": "data", "configuration": "configuration", "revision": "code revision", "versions": "versions"}
"""Columns that state how a cell was made, and their names in reports."""


def made_with(cells: Cells) -> pd.DataFrame:
    """Return finished cells with the columns of `KEY`, `SCORES` (if known) and `CAUSES`; the records hold the provenance."""
    frame = cells.frame[cells.frame["status"] == "ok"]
    provenance = [_provenance(Path(root) / f"{path}.json") for root, path in zip(frame["root"], frame["path"], strict=True)]
    columns = [*KEY, *(score for score in SCORES if score in frame), "dataset_digest", "configuration"]
    return frame[columns].assign(
        revision=[one.get("revision") or "" for one in provenance],
        versions=[", ".join(f"{name} {v}" for name, v in sorted((one.get("versions") or {}).items())) for one in provenance],
    )


def unfinished(cells: Cells) -> pd.DataFrame:
    """Return failed and skipped cells: the columns of `KEY`, and the reason, such as ``failed: NaN in epoch 3``."""
    frame = cells.frame[cells.frame["status"] != "ok"]
    return frame[KEY].assign(reason=frame["status"].astype(str) + ": " + frame["reason"].astype(str))


def check_seeds(frame: pd.DataFrame) -> None:
    """Raise MisuseError unless each group has `LEAST_SEEDS` seeds with the same resamples, so that its spread is known."""
    for (dataset, method, backbone, recipe), group in frame.groupby(KEY[:4], observed=True):
        where = f"{method}@{backbone} ({recipe}) on {dataset}"
        if group["seed"].nunique() < LEAST_SEEDS:
            raise MisuseError(
                f"The reference has fewer than {LEAST_SEEDS} seeds of {where}: its spread is not known.",
                "Expected at least ten.",
                "Run it again with --seeds 10, into the same folder, and write the reference with --update.",
            )
        if group.groupby("seed")["resample"].agg(frozenset).nunique() > 1:
            raise MisuseError(
                f"The seeds of the reference have different resamples of {where}: their means are not comparable.",
                "Expected the same resamples of every seed.",
                "Run the same command again to complete them, with --retry-failed where cells failed, and write it with --update.",
            )


def write_reference(frame: pd.DataFrame, folder: Path, command: str) -> list[Path]:
    """Write the result of `made_with` as a reference; the errors are those of `check_seeds`."""
    check_seeds(frame)
    text = io.StringIO()
    frame.sort_values(KEY).to_csv(text, index=False, lineterminator="\n")
    about = {
        "what": "reference of 'ssd-bench check'",
        "command": command,
        "cells": len(frame),
        "seeds": sorted(int(seed) for seed in frame["seed"].unique()),
        "revisions": sorted(frame["revision"].unique()),
        "versions": sorted(frame["versions"].unique()),
    }
    files = [(folder / CELLS, text.getvalue().encode()), (folder / ABOUT, (json.dumps(about, indent=2) + "\n").encode())]
    return atomic.write_into(folder, files)


def read_reference(folder: Path) -> pd.DataFrame:
    """Read a reference of `write_reference`; an absent or malformed reference raises an SsdBenchError."""
    import pandas as pd

    path = folder / CELLS
    if not path.is_file():
        raise MisuseError(
            f"There is no reference in {folder}.",
            f"Expected the file {CELLS} in this folder.",
            "Write one with: ssd-bench check DIR --reference … --update",
        )
    texts = dict.fromkeys([*KEY[:4], *CAUSES], str)
    try:
        nothing = {score: [""] for score in SCORES}
        # the default parser of pandas reads a third of such fractions with an error in the last bit
        frame = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=nothing, float_precision="round_trip")
        missing = {*KEY, *CAUSES, "accuracy"} - set(frame.columns)
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        frame = frame.astype({"resample": int, "seed": int, **{score: float for score in SCORES if score in frame}})
    except ValueError as error:
        raise SsdBenchError(f"{path} is not a reference: {error}.", "", "Write the reference again with --update.") from error
    if frame["accuracy"].isna().any() or frame.duplicated(KEY).any():
        raise SsdBenchError(
            f"{path} holds a repeated cell, or a cell without accuracy.", "", "Write the reference again with --update."
        )
    return frame


def _provenance(path: Path) -> dict[str, Any]:
    return CellRecord.from_json(path.read_bytes(), str(path)).provenance
