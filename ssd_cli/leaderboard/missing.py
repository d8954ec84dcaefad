"""Results that are not there: which, why, and what the three policies do about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Grid = set[tuple[int, int]]
"""Pairs of resample and seed."""

POLICIES = {
    "fail": "refuse to compare",
    "complete": "leave the dataset out for all methods",
    "worst-rank": "rank the method last on the dataset",
}
"""What to do where a method lacks results on a dataset."""


@dataclass(frozen=True)
class Missing:
    """A method that lacks results on a dataset.

    Parameters
    ----------
    dataset, name : str
    n_results : int
        How many of the expected ones are there.
    reasons : tuple of str
        Why cells failed or were skipped, each once.
    """

    dataset: str
    name: str
    n_results: int
    reasons: tuple[str, ...]

    @property
    def reason(self) -> str:
        """All reasons in one text; "not run" where nothing is on record."""
        return "; ".join(self.reasons) or "not run"


def find_missing(
    frame: pd.DataFrame, names: list[str], datasets: list[str], counts: npt.NDArray[np.int64], expected: int
) -> list[Missing]:
    """Every dataset × method with fewer results than expected, with the reasons on record."""
    wrong = frame[frame["status"] != "ok"]
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for row in wrong.itertuples():
        reasons.setdefault((str(row.dataset), str(row.name)), {})[f"{row.status}: {row.reason}"] = None
    return [
        Missing(datasets[i], names[j], int(counts[i, j]), tuple(reasons.get((datasets[i], names[j]), ())))
        for i, j in np.argwhere(counts != expected)
    ]


def refusal(lacking: list[Missing], grid: Grid) -> SsdBenchError:
    """The error that says which results are missing, why, and what can be done."""
    shown = [f"  {item.dataset}, {item.name}: {item.n_results} of {len(grid)} results ({item.reason})" for item in lacking[:10]]
    more = [f"  and {len(lacking) - 10} more"] if len(lacking) > 10 else []
    steps = []
    if any(not item.reasons for item in lacking):
        steps.append("Run the same 'ssd-bench run' command again for what has not been run.")
    if any(reason.startswith("failed") for item in lacking for reason in item.reasons):
        steps.append("Run it with --retry-failed for what failed, once the cause is mended.")
    steps.append(
        f"{'Or choose' if steps else 'Choose'} --missing complete (leave these datasets out for all methods), --missing worst-rank "
        "(rank the method last there), or what to compare by --method and --dataset."
    )
    return SsdBenchError(
        "\n".join([f"{len(lacking)} of the compared results are not complete:", *shown, *more]),
        f"Expected {describe_grid(grid)} of every method on every dataset: means over unequal numbers are not compared.",
        "\n".join(steps),
    )


def describe_grid(grid: Grid) -> str:
    """``resamples 0-4 with seeds 0, 1``."""
    if not grid:
        return "a result"
    resamples, seeds = ({pair[axis] for pair in grid} for axis in (0, 1))
    plural = ["s" if len(values) > 1 else "" for values in (resamples, seeds)]
    text = f"resample{plural[0]} {numbers(resamples)} with seed{plural[1]} {numbers(seeds)}"
    return text if len(grid) == len(resamples) * len(seeds) else f"the {len(grid)} pairs of resample and seed found among {text}"


def numbers(values: set[int]) -> str:
    """``0-4`` or ``0, 3, 7``."""
    ordered = sorted(values)
    consecutive = len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1
    return f"{ordered[0]}-{ordered[-1]}" if consecutive else ", ".join(map(str, ordered))


def worst_filled(scores: Floats) -> Floats:
    """A missing score loses against every other one, and by more than any two scores differ; two missing ones are equal."""
    lowest, highest = np.nanmin(scores), np.nanmax(scores)
    return np.where(np.isnan(scores), lowest - 2 * (highest - lowest) - 1, scores)
