"""Cells of a reference that a run lacks: means over different resamples cannot be compared."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ssd_cli.leaderboard.missing import numbers

if TYPE_CHECKING:
    import pandas as pd

GROUP = ["dataset", "method", "backbone", "recipe"]
_REASON = 100  # characters of a reason that are shown
Key = tuple[str, ...]
Groups = dict[Key, "pd.DataFrame"]


def groups(frame: pd.DataFrame) -> Groups:
    """Return the rows of each dataset × method."""
    return {tuple(map(str, key)): group for key, group in frame.groupby(GROUP)}


def group_name(key: Key) -> str:
    """Return a name such as ``ssd@lite (fast) on GunPoint``."""
    return f"{method_name(key)} on {key[0]}"


def method_name(key: Key) -> str:
    """Return a name such as ``ssd@lite (fast)``."""
    return f"{key[1]}@{key[2]} ({key[3]})"


def within(new: Groups, old: Groups) -> Groups:
    """Return the rows of a run whose groups and resamples are in the reference."""
    kept = {key: new[key][new[key]["resample"].isin(old[key]["resample"])] for key in old if key in new}
    return {key: group for key, group in kept.items() if len(group)}


def lacking(old: Groups, new: Groups, unfinished: Groups) -> dict[Key, list[str]]:
    """Return what each group of a run lacks: every seed needs every resample of the reference.

    Parameters
    ----------
    old : dict
        Groups of the reference.
    new, unfinished : dict
        Groups of the run, `within` the reference: finished cells, and failed or skipped cells with their reason.

    Returns
    -------
    dict of tuple to list of str
        Incomplete groups only: ``ssd@lite (fast) on GunPoint, seed 3, resample 0 (failed: NaN in epoch 3)``.
    """
    seeds = sorted({int(seed) for part in (*new.values(), *unfinished.values()) for seed in part["seed"]})
    found: dict[Key, list[str]] = {}
    for key, group in old.items():
        if key not in new:
            found[key] = [f"{group_name(key)}{_why(unfinished.get(key))}"]
            continue
        done = new[key].groupby("seed")["resample"].agg(set).to_dict()
        for seed in seeds:
            if gone := set(group["resample"]) - done.get(seed, set()):
                where = f"{group_name(key)}, seed {seed}, resample{'s' * (len(gone) > 1)} {numbers(gone)}"
                found.setdefault(key, []).append(where + _why(unfinished.get(key), seed))
    return found


def _why(unfinished: pd.DataFrame | None, seed: int | None = None) -> str:
    """The recorded reasons of one seed or of all, each once."""
    if unfinished is None:
        return ""
    reasons = unfinished["reason"] if seed is None else unfinished.loc[unfinished["seed"] == seed, "reason"]
    # messages of exceptions may have control characters, which XML forbids
    text = "".join(character if character.isprintable() else " " for character in "; ".join(reasons.unique()))
    return f" ({textwrap.shorten(text, _REASON, placeholder=' …')})" if len(reasons) else ""
