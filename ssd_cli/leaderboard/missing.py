"""Missing results: their cells, the reasons, and the policies for them."""

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
"""Policies for a method that lacks results on a dataset."""


@dataclass(frozen=True)
class Missing:
    """A method that lacks results on a dataset: the number of existing results, and the recorded reasons for missing ones."""

    dataset: str
    name: str
    n_results: int
    reasons: tuple[str, ...]

    @property
    def reason(self) -> str:
        """All reasons in one text; "not run" if there is no record."""
        return "; ".join(self.reasons) or "not run"


def find_missing(
    frame: pd.DataFrame, names: list[str], datasets: list[str], counts: npt.NDArray[np.int64], expected: int
) -> list[Missing]:
    """Return every dataset × method with fewer results than expected, with recorded reasons."""
    wrong = frame[frame["status"] != "ok"]
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for row in wrong.itertuples():
        reasons.setdefault((str(row.dataset), str(row.name)), {})[f"{row.status}: {row.reason}"] = None
    return [
        Missing(datasets[i], names[j], int(counts[i, j]), tuple(reasons.get((datasets[i], names[j]), ())))
        for i, j in np.argwhere(counts != expected)
    ]


def refusal(lacking: list[Missing], grid: Grid) -> SsdBenchError:
    """Return the error that lists the missing results, the reasons and the remedies."""
    shown = [f"  {item.dataset}, {item.name}: {item.n_results} of {len(grid)} results ({item.reason})" for item in lacking[:10]]
    more = [f"  and {len(lacking) - 10} more"] if len(lacking) > 10 else []
    steps = []
    if any(not item.reasons for item in lacking):
        steps.append("Run the same 'ssd-bench run' command again for what has not been run.")
    if any(reason.startswith("failed") for item in lacking for reason in item.reasons):
        steps.append("Run it with --retry-failed for what failed, once the cause is fixed.")
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
    """Return a text such as ``resamples 0-4 with seeds 0, 1``."""
    if not grid:
        return "a result"
    resamples, seeds = ({pair[axis] for pair in grid} for axis in (0, 1))
    plural = ["s" if len(values) > 1 else "" for values in (resamples, seeds)]
    text = f"resample{plural[0]} {numbers(resamples)} with seed{plural[1]} {numbers(seeds)}"
    return text if len(grid) == len(resamples) * len(seeds) else f"the {len(grid)} pairs of resample and seed found among {text}"


def numbers(values: set[int]) -> str:
    """Return a text such as ``0-4`` or ``0, 3, 7``."""
    ordered = sorted(values)
    consecutive = len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1
    return f"{ordered[0]}-{ordered[-1]}" if consecutive else ", ".join(map(str, ordered))


def worst_filled(scores: Floats) -> Floats:
    """Replace missing scores by a value below every score; the distance exceeds the difference of any two scores."""
    lowest, highest = np.nanmin(scores), np.nanmax(scores)
    return np.where(np.isnan(scores), lowest - 2 * (highest - lowest) - 1, scores)
