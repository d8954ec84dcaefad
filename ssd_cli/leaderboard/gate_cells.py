"""Which cells of a reference a run lacks: means over other resamples than the reference's cannot be compared with it."""

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
    """The rows of each dataset × method."""
    return {tuple(map(str, key)): group for key, group in frame.groupby(GROUP)}


def group_name(key: Key) -> str:
    """``ssd@lite (fast) on GunPoint``."""
    return f"{method_name(key)} on {key[0]}"


def method_name(key: Key) -> str:
    """``ssd@lite (fast)``."""
    return f"{key[1]}@{key[2]} ({key[3]})"


def within(new: Groups, old: Groups) -> Groups:
    """The rows of a run in those groups and resamples that the reference has."""
    kept = {key: new[key][new[key]["resample"].isin(old[key]["resample"])] for key in old if key in new}
    return {key: group for key, group in kept.items() if len(group)}


def lacking(old: Groups, new: Groups, unfinished: Groups) -> dict[Key, list[str]]:
    """What each group of a run lacks: every seed of the run must have every resample of the reference in every group of it.

    Parameters
    ----------
    old : dict
        Groups of the reference.
    new, unfinished : dict
        Groups of the run, `within` the reference: the finished cells, and those that failed or were skipped, with their reason.

    Returns
    -------
    dict of tuple to list of str
        Only the groups that lack something: ``ssd@lite (fast) on GunPoint, seed 3, resample 0 (failed: NaN in epoch 3)``.
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
    """The reasons on record, of one seed or of all, each once; nothing where there is no record."""
    if unfinished is None:
        return ""
    reasons = unfinished["reason"] if seed is None else unfinished.loc[unfinished["seed"] == seed, "reason"]
    # The words of any exception; a control character would make a report of XML unreadable.
    text = "".join(character if character.isprintable() else " " for character in "; ".join(reasons.unique()))
    return f" ({textwrap.shorten(text, _REASON, placeholder=' …')})" if len(reasons) else ""
