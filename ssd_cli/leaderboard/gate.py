"""The gate: compare the scores of a run with a reference, and list other changes of the cells."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.errors import MisuseError, shortened
from ssd_cli.leaderboard.missing import numbers
from ssd_cli.leaderboard.reference import CAUSES, KEY, SCORES, check_seeds
from ssd_cli.metrics import METRICS
from ssd_cli.statistics.gate import Fall, group_falls, mean_fall

if TYPE_CHECKING:
    import pandas as pd

_LOG_FLOOR = 1e-6
GROUP = ["dataset", "method", "backbone", "recipe"]
_REASON = 100  # characters of a reason that are shown
Key = tuple[str, ...]
Groups = dict[Key, "pd.DataFrame"]


@dataclass(frozen=True)
class Moved:
    """Result of one test: of a dataset × method, or of a method over all datasets (then `dataset` is "")."""

    dataset: str
    name: str
    score: str
    fall: Fall
    causes: tuple[str, ...]

    @property
    def where(self) -> str:
        """``ssd@lite (fast) on GunPoint``."""
        return f"{self.name} on {self.dataset}" if self.dataset else f"{self.name}, mean over all datasets"


@dataclass(frozen=True)
class GateReport:
    """Result of the gate.

    `absent` are groups or cells of the reference that the run lacks; `other_data` are datasets with other arrays; `changed` are
    files of predictions that were changed after they were written. All of them fail the run. Only the run has the groups `extra`.
    `n_same_seed` cells have a seed of the reference, and `n_equal` of them have exactly the same accuracy. If the gate is
    `two_sided`, better scores fail the run too.
    """

    tests: tuple[Moved, ...]
    absent: tuple[str, ...]
    other_data: tuple[str, ...]
    changed: tuple[str, ...]
    extra: tuple[str, ...]
    alpha: float
    n_same_seed: int
    n_equal: int
    two_sided: bool

    @property
    def fallen(self) -> list[Moved]:
        """Tests in which the run is significantly worse."""
        return [test for test in self.tests if test.fall.fell]

    @property
    def risen(self) -> list[Moved]:
        """Tests in which the run is significantly better."""
        return [test for test in self.tests if test.fall.rose]

    @property
    def passed(self) -> bool:
        """Whether nothing fails the run."""
        return not (self.alarms or self.absent or self.other_data or self.changed)

    @property
    def alarms(self) -> list[Moved]:
        """The tests that fail the run."""
        return self.fallen + (self.risen if self.two_sided else [])


def check(
    run: pd.DataFrame,
    reference: pd.DataFrame,
    alpha: float = 0.01,
    two_sided: bool = False,
    unfinished: pd.DataFrame | None = None,
    changed: Sequence[str] = (),
) -> GateReport:
    """Compare a run from `made_with` with a reference from `read_reference`.

    `alpha` is the probability that an unchanged run fails. With `two_sided` better scores fail the run too, each side at half of
    `alpha`, since a leak of labels or a changed recipe improves scores. `unfinished`, from `reference.unfinished`, has the failed
    and skipped cells with their reasons. Files of `changed` predictions fail the run. No common group, or a reference that
    `check_seeds` refuses, raises an SsdBenchError.
    """
    if not 0 < alpha < 0.5:
        raise MisuseError(f"The false-alarm rate cannot be {alpha:g}.", "Expected a number above 0 and below 0.5, such as 0.01.")
    changed_data = _other_data(run, reference)
    frames = (reference, run, run[:0] if unfinished is None else unfinished)
    old, whole, broken = (_groups(frame[~frame["dataset"].isin(changed_data)]) for frame in frames)
    new, broken = _within(whole, old), _within(broken, old)
    if not new and not broken and not changed_data:
        sides = [shortened([_group_name(key) for key in _groups(frame)]) for frame in (reference, run)]
        raise MisuseError(
            f"The run and the reference have nothing in common. The reference has {sides[0]}; the run has {sides[1] or 'nothing'}.",
            "Expected the same datasets, methods and recipes.",
        )
    check_seeds(reference[~reference["dataset"].isin(changed_data)])
    absent = _lacking(old, new, broken)
    for key in [key for key in old if key not in absent]:
        gone = [score for score in SCORES if _has(old[key], score) and not _has(new[key], score)]
        if gone:
            absent[key] = [f"{_group_name(key)}, {' and '.join(gone)} of some cells"]
    common = [key for key in old if key not in absent]
    return GateReport(
        tuple(_tests(old, new, common, alpha / 2 if two_sided else alpha)),
        tuple(line for lines in absent.values() for line in lines),
        tuple(changed_data),
        tuple(changed),
        tuple(_group_name(key) for key in whole if key not in new or len(new[key]) < len(whole[key])),
        alpha,
        *_same(run, reference),
        two_sided,
    )


def _tests(old: Groups, new: Groups, common: list[Key], alpha: float) -> list[Moved]:
    of = {score: [key for key in common if _has(old[key], score)] for score in SCORES}
    n_groups, n_methods = (sum(len({key[start:] for key in keys}) for keys in of.values()) for start in (0, 1))
    found = []
    for score, keys in of.items():
        before, now = ({key: _by_seed(side[key], score) for key in keys} for side in (old, new))
        falls = group_falls([before[key] for key in keys], [now[key] for key in keys], alpha / 2 / n_groups) if keys else []
        found += [
            Moved(key[0], _method_name(key), score, fall, _causes(old[key], new[key]))
            for key, fall in zip(keys, falls, strict=True)
        ]
        for method in sorted({key[1:] for key in keys}):
            its = [key for key in keys if key[1:] == method]
            fall = mean_fall([before[key] for key in its], [now[key] for key in its], alpha / 2 / n_methods)
            causes = tuple(dict.fromkeys(cause for key in its for cause in _causes(old[key], new[key])))
            found.append(Moved("", _method_name(its[0]), score, fall, causes))
    return found


def _has(group: pd.DataFrame, score: str) -> bool:
    """Return whether every cell has the score; a cell without probabilities has no NLL."""
    return score in group and bool(group[score].notna().all())


def _by_seed(part: pd.DataFrame, score: str) -> np.ndarray:
    """Return the mean over resamples of each seed, higher is better; of NLL, minus the logarithm, which has fewer outliers."""
    values = part[score].to_numpy(dtype=np.float64)
    values = -np.log(np.maximum(values, _LOG_FLOOR)) if METRICS[score].direction == "down" else values
    return np.asarray(part.assign(value=values).groupby("seed")["value"].mean().to_numpy(dtype=np.float64))


def _causes(old: pd.DataFrame, new: pd.DataFrame) -> tuple[str, ...]:
    """Return the `CAUSES` in which the cells differ; the seed if no other cause differs; nothing if seeds are equal too."""
    causes = tuple(name for column, name in CAUSES.items() if not set(new[column]) <= set(old[column]))
    return causes or (() if set(new["seed"]) <= set(old["seed"]) else ("seed",))


def _other_data(run: pd.DataFrame, reference: pd.DataFrame) -> list[str]:
    digests = [frame.groupby("dataset")["dataset_digest"].agg(set).to_dict() for frame in (run, reference)]
    return sorted(str(name) for name in digests[0].keys() & digests[1].keys() if digests[0][name] != digests[1][name])


def _same(run: pd.DataFrame, reference: pd.DataFrame) -> tuple[int, int]:
    both = run.merge(reference, on=KEY, suffixes=("", "_reference"))
    return len(both), int((both["accuracy"] == both["accuracy_reference"]).sum())


def _groups(frame: pd.DataFrame) -> Groups:
    return {tuple(map(str, key)): group for key, group in frame.groupby(GROUP)}


def _group_name(key: Key) -> str:
    return f"{_method_name(key)} on {key[0]}"


def _method_name(key: Key) -> str:
    return f"{key[1]}@{key[2]} ({key[3]})"


def _within(new: Groups, old: Groups) -> Groups:
    """Return the rows of a run whose groups and resamples are in the reference."""
    kept = {key: new[key][new[key]["resample"].isin(old[key]["resample"])] for key in old if key in new}
    return {key: group for key, group in kept.items() if len(group)}


def _lacking(old: Groups, new: Groups, unfinished: Groups) -> dict[Key, list[str]]:
    """Return what each incomplete group of a run lacks: every seed needs every resample of the reference.

    `new` and `unfinished` are the finished and the failed or skipped cells `_within` the reference.
    """
    seeds = sorted({int(seed) for part in (*new.values(), *unfinished.values()) for seed in part["seed"]})
    found: dict[Key, list[str]] = {}
    for key, group in old.items():
        if key not in new:
            found[key] = [f"{_group_name(key)}{_why(unfinished.get(key))}"]
            continue
        done = new[key].groupby("seed")["resample"].agg(set).to_dict()
        for seed in seeds:
            if gone := set(group["resample"]) - done.get(seed, set()):
                where = f"{_group_name(key)}, seed {seed}, resample{'s' * (len(gone) > 1)} {numbers(gone)}"
                found.setdefault(key, []).append(where + _why(unfinished.get(key), seed))
    return found


def _why(unfinished: pd.DataFrame | None, seed: int | None = None) -> str:
    """Return the recorded reasons of one seed or of all seeds, each once."""
    if unfinished is None:
        return ""
    reasons = unfinished["reason"] if seed is None else unfinished.loc[unfinished["seed"] == seed, "reason"]
    # messages of exceptions may have control characters, which XML forbids
    text = "".join(character if character.isprintable() else " " for character in "; ".join(reasons.unique()))
    return f" ({textwrap.shorten(text, _REASON, placeholder=' …')})" if len(reasons) else ""
