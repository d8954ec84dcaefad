"""Groups of methods that do not differ significantly, as bars of a critical-difference diagram and as letters in a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RULE = (
    "A bar (in the table: a shared letter) joins a longest run of methods, neighbours by average rank, "
    "no two of which differ significantly."
)
"""A bar joins neighbours only, so that no method under it differs from another one. `unjoined` lists the pairs that do not differ
but have a differing method between them."""


def cliques(different: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last method (included) of the longest runs without a significant pair; no run contains another.

    `different` (n_methods, n_methods) is symmetric, with methods in the order of their average ranks.
    """
    runs: list[tuple[int, int]] = []
    for first in range(len(different)):
        last = first
        while last + 1 < len(different) and not different[first : last + 1, last + 1].any():
            last += 1
        if not runs or last > runs[-1][1]:
            runs.append((first, last))
    return runs


def letters(runs: list[tuple[int, int]], n_methods: int) -> list[str]:
    """Return the letters of each method: two methods share a letter if and only if a run has both. The letter after z is aa."""
    names = [_letter(number) for number in range(len(runs))]
    return ["".join(name for name, (first, last) in zip(names, runs, strict=True) if first <= i <= last) for i in range(n_methods)]


def unjoined(different: npt.NDArray[np.bool_], runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs that do not differ significantly and are in no common run."""
    return [
        (i, j)
        for i in range(len(different))
        for j in range(i + 1, len(different))
        if not different[i, j] and not any(first <= i and j <= last for first, last in runs)
    ]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else _letter(number // 26 - 1) + _letter(number % 26)
