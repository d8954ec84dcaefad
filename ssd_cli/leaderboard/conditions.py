"""The conditions of cells (device, execution, threads): times are comparable only under equal conditions, accuracies always."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.leaderboard.ranking import Grouped

if TYPE_CHECKING:
    import pandas as pd

CONDITIONS = {
    # column of the records: columns of the groups that should have one value, name of a difference, option that sets the value
    "device": (["dataset"], "different devices", "--device"),
    "threads": (["dataset", "device"], "different numbers of threads", "--threads"),
    "execution": (["dataset", "device", "backbone"], "different executions of one backbone", "--engine"),
}
_ACCURACIES = {
    "device": "Times of different devices must not be compared. Accuracies may be, though the same seed gives other bits.",
    "threads": "Accuracies may be compared, times may not.",
    "execution": "Accuracies may be compared, since they differ by rounding only; times may not.",
}
_SHOWN = 8
WAITED, WAITED_SECONDS = 2.0, 1.0
"""A cell is marked if its wall time exceeds this multiple of its processor time by more than these seconds."""


def warnings(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each reason why values of the compared cells mislead."""
    return _differing(frame) + _unfitted(frame) + _waited(frame) + _mixed_programs(frame)


def _differing(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each condition in which compared cells differ, with the methods on either side."""
    found = []
    for condition, cells in _mixed(frame).items():
        _, what, option = CONDITIONS[condition]
        sides = cells.groupby(condition, observed=True)["name"].unique()
        listed = "; ".join(f"{value or 'not recorded'} ({_listed(sorted(names))})" for value, names in sides.items())
        found.append(
            f"Cells of one dataset were computed with {what}: {listed}. {_ACCURACIES[condition]} A training time is not "
            f"divided by that of a 'single' that differs in this. To compare times, run all methods with the same {option}."
        )
    return found


def _unfitted(frame: pd.DataFrame) -> list[str]:
    """Return a sentence if networks of compared cells have not fitted their training cases, with the methods and their cells."""
    if "converged" not in frame:
        return []
    judged = frame[(frame["status"] == "ok") & frame["converged"].notna()]
    short = judged[judged["converged"] == 0]
    if not len(short):
        return []
    counts = short["name"].value_counts()
    listed = _listed([f"{name} ({count})" for name, count in counts.items()])
    return [
        f"In {len(short)} of {len(judged)} cells a network has not fitted its training cases: {listed}. Their accuracies say "
        "little about the methods; the column 'fitted' shows the share of fitted cells. A longer recipe trains them to the end."
    ]


def _waited(frame: pd.DataFrame) -> list[str]:
    """Return a sentence if processes got no processor for most of their training time, with the methods and their cells."""
    if "wall_seconds" not in frame:
        return []
    done = frame[frame["status"] == "ok"]
    waited = done[done["wall_seconds"] > WAITED * done["cpu_seconds"] + WAITED_SECONDS]
    if not len(waited):
        return []
    counts = waited["name"].value_counts()
    listed = _listed([f"{name} ({count})" for name, count in counts.items()])
    return [
        f"{len(waited)} of {len(done)} cells waited or were stopped while they trained, since their wall time is more than "
        f"{WAITED:g} times their processor time: {listed}. Training times on a CPU leave the pauses out, those of other devices "
        "include them."
    ]


def _mixed_programs(frame: pd.DataFrame) -> list[str]:
    """Return a sentence if cells hold networks that another version of the code trained, with the methods and their cells."""
    if "programs" not in frame:
        return []
    mixed = frame[(frame["status"] == "ok") & (frame["programs"] > 1)]
    if not len(mixed):
        return []
    listed = _listed([f"{name} ({count})" for name, count in mixed["name"].value_counts().items()])
    return [
        f"{len(mixed)} of {len(frame)} cells hold networks that other versions of ssd-bench or torch trained: {listed}. No single "
        "version gives their numbers; the curves in their records name the versions. Run the cells again into another folder."
    ]


def times_compare(frame: pd.DataFrame) -> bool:
    """Return whether the times of all methods were measured under the same conditions."""
    return not _mixed(frame)


def condition_codes(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return a number per row; equal conditions have equal numbers."""
    return frame.groupby(list(CONDITIONS), observed=True).ngroup().to_numpy().astype(np.int64)


def conditions_of(frame: pd.DataFrame, names: list[str], datasets: list[str]) -> npt.NDArray[np.int64]:
    """Return the conditions of each dataset × method as a number; -1 for mixed conditions or no results."""
    grouped = Grouped(frame, names, datasets)
    place, codes = (grouped.row, grouped.column), condition_codes(grouped.cells)
    lowest = np.full(grouped.counts.shape, np.iinfo(np.int64).max)
    highest = np.full(grouped.counts.shape, -1)
    np.minimum.at(lowest, place, codes)
    np.maximum.at(highest, place, codes)
    return np.where(lowest == highest, highest, -1)


def _mixed(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the affected cells of each condition that varies within a group."""
    done = frame[frame["status"] == "ok"]
    found = {}
    for condition, (within, _, _) in CONDITIONS.items():
        cells = done[done.groupby(within, observed=True)[condition].transform("nunique") > 1]
        if len(cells):
            found[condition] = cells
    return found


def _listed(names: list[str]) -> str:
    return ", ".join([*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])])
