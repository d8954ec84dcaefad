"""Groups of methods that the tests cannot tell apart, as the bars of a critical-difference diagram and as letters in a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RULE = (
    "A bar (in the table: a shared letter) joins a longest run of methods, neighbours by average rank, "
    "no two of which differ significantly."
)
"""Neighbours only, so that a bar never passes over a method that differs from one it joins; all pairs of the run, so that no bar is
cut at the first gap. Pairs that are not different but are kept apart by a method between them are named separately."""


def cliques(different: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Longest runs without a significant pair.

    Parameters
    ----------
    different : ndarray of bool, shape (n_methods, n_methods)
        Symmetric; methods in the order of their average ranks.

    Returns
    -------
    list of (int, int)
        First and last method of each run, the last included; runs of one method stand for themselves. No run lies inside another.
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
    """The letters of each method: two methods share one exactly if some run holds both. After z comes aa."""
    names = [_letter(number) for number in range(len(runs))]
    return ["".join(name for name, (first, last) in zip(names, runs, strict=True) if first <= i <= last) for i in range(n_methods)]


def unjoined(different: npt.NDArray[np.bool_], runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs that do not differ significantly although no run holds both."""
    return [
        (i, j)
        for i in range(len(different))
        for j in range(i + 1, len(different))
        if not different[i, j] and not any(first <= i and j <= last for first, last in runs)
    ]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else _letter(number // 26 - 1) + _letter(number % 26)
