"""The gate: compares the scores of a run with a reference, and lists what else has changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.errors import MisuseError, SsdBenchError, shortened
from ssd_cli.leaderboard.gate_cells import Groups, Key, group_name, groups, lacking, method_name, within
from ssd_cli.leaderboard.reference import CAUSES, KEY, LEAST_SEEDS, SCORES, unequal
from ssd_cli.metrics import METRICS
from ssd_cli.statistics.gate import Fall, group_falls, mean_fall

if TYPE_CHECKING:
    import pandas as pd

_LOG_FLOOR = 1e-6


@dataclass(frozen=True)
class Moved:
    """Result of one test: of a dataset × method, or of a method over all datasets (dataset "")."""

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

    Parameters
    ----------
    tests : tuple of Moved
    absent : tuple of str
        Groups of the reference, or cells of them, that the run lacks, with recorded reasons; they fail the run. A group that lacks
        a cell is not compared.
    other_data : tuple of str
        Datasets whose arrays differ from those of the reference; not compared, and they fail the run.
    extra : tuple of str
        Groups, or resamples of them, that only the run has; not compared.
    alpha : float
    n_same_seed, n_equal : int
        Cells whose seed is in the reference, and those of them with exactly its accuracy.
    two_sided : bool
        Whether better scores fail the run, too.
    """

    tests: tuple[Moved, ...]
    absent: tuple[str, ...]
    other_data: tuple[str, ...]
    extra: tuple[str, ...]
    alpha: float
    n_same_seed: int = field(default=0)
    n_equal: int = field(default=0)
    two_sided: bool = False

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
        return not (self.alarms or self.absent or self.other_data)

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
) -> GateReport:
    """Compare a run with a reference.

    Parameters
    ----------
    run, reference : DataFrame
        From `made_with` and `read_reference`.
    alpha : float
        Probability that an unchanged run fails.
    two_sided : bool
        Whether better scores fail the run, too, each side at half of `alpha`: a leak of labels or a changed recipe improves scores.
    unfinished : DataFrame, optional
        Cells of the run that failed or were skipped, from `reference.unfinished`: the reasons of missing cells, and further seeds.

    Raises
    ------
    SsdBenchError
        Nothing in common, or a reference with a group of fewer than `LEAST_SEEDS` seeds or of unequal resamples of its seeds.
    """
    if not 0 < alpha < 0.5:
        raise MisuseError(f"The false-alarm rate cannot be {alpha:g}.", "Expected a number above 0 and below 0.5, such as 0.01.")
    changed_data = _other_data(run, reference)
    frames = (reference, run, run[:0] if unfinished is None else unfinished)
    old, whole, broken = (groups(frame[~frame["dataset"].isin(changed_data)]) for frame in frames)
    new, broken = within(whole, old), within(broken, old)
    if not new and not broken and not changed_data:
        sides = [shortened([group_name(key) for key in groups(frame)]) for frame in (reference, run)]
        raise MisuseError(
            f"The run and the reference have nothing in common. The reference has {sides[0]}; the run has {sides[1] or 'nothing'}.",
            "Expected the same datasets, methods and recipes.",
        )
    _sound(old)
    absent = lacking(old, new, broken)
    for key in [key for key in old if key not in absent]:
        gone = [score for score in SCORES if _has(old[key], score) and not _has(new[key], score)]
        if gone:
            absent[key] = [f"{group_name(key)}, {' and '.join(gone)} of some cells"]
    common = [key for key in old if key not in absent]
    return GateReport(
        tuple(_tests(old, new, common, alpha / 2 if two_sided else alpha)),
        tuple(line for lines in absent.values() for line in lines),
        tuple(changed_data),
        tuple(group_name(key) for key in whole if key not in new or len(new[key]) < len(whole[key])),
        alpha,
        *_same(run, reference),
        two_sided,
    )


def _sound(old: Groups) -> None:
    """Check that the spread over seeds is known for every group of the reference."""
    for key, group in old.items():
        if group["seed"].nunique() < LEAST_SEEDS:
            raise SsdBenchError(
                f"The reference has fewer than {LEAST_SEEDS} seeds of {group_name(key)}: its spread is not known.",
                "Expected at least ten.",
                "Run the reference again with --seeds 10.",
            )
        if unequal(group):
            raise SsdBenchError(
                f"The seeds of the reference have different resamples of {group_name(key)}: their spread is not that of seeds.",
                "Expected the same resamples of every seed.",
                "Run the reference again until no cell is missing, and write it anew with --update.",
            )


def _tests(old: Groups, new: Groups, common: list[Key], alpha: float) -> list[Moved]:
    of = {score: [key for key in common if _has(old[key], score)] for score in SCORES}
    n_groups, n_methods = (sum(len({key[start:] for key in keys}) for keys in of.values()) for start in (0, 1))
    found = []
    for score, keys in of.items():
        before, now = ({key: _by_seed(side[key], score) for key in keys} for side in (old, new))
        falls = group_falls([before[key] for key in keys], [now[key] for key in keys], alpha / 2 / n_groups) if keys else []
        found += [
            Moved(key[0], method_name(key), score, fall, _causes(old[key], new[key])) for key, fall in zip(keys, falls, strict=True)
        ]
        for method in sorted({key[1:] for key in keys}):
            its = [key for key in keys if key[1:] == method]
            fall = mean_fall([before[key] for key in its], [now[key] for key in its], alpha / 2 / n_methods)
            causes = tuple(dict.fromkeys(cause for key in its for cause in _causes(old[key], new[key])))
            found.append(Moved("", method_name(its[0]), score, fall, causes))
    return found


def _has(group: pd.DataFrame, score: str) -> bool:
    """Whether every cell has the score; a cell without probabilities has no NLL."""
    return score in group and bool(group[score].notna().all())


def _by_seed(part: pd.DataFrame, score: str) -> np.ndarray:
    """Mean over resamples of each seed, higher is better; minus the logarithm of NLL, which has fewer outliers."""
    values = part[score].to_numpy(dtype=np.float64)
    values = -np.log(np.maximum(values, _LOG_FLOOR)) if METRICS[score].direction == "down" else values
    return np.asarray(part.assign(value=values).groupby("seed")["value"].mean().to_numpy(dtype=np.float64))


def _causes(old: pd.DataFrame, new: pd.DataFrame) -> tuple[str, ...]:
    """What differs in how the cells were made; the seed if nothing else does; nothing if the seeds are the same, too."""
    causes = tuple(name for column, name in CAUSES.items() if not set(new[column]) <= set(old[column]))
    return causes or (() if set(new["seed"]) <= set(old["seed"]) else ("seed",))


def _other_data(run: pd.DataFrame, reference: pd.DataFrame) -> list[str]:
    digests = [frame.groupby("dataset")["dataset_digest"].agg(set).to_dict() for frame in (run, reference)]
    return sorted(str(name) for name in digests[0].keys() & digests[1].keys() if digests[0][name] != digests[1][name])


def _same(run: pd.DataFrame, reference: pd.DataFrame) -> tuple[int, int]:
    both = run.merge(reference, on=KEY, suffixes=("", "_reference"))
    return len(both), int((both["accuracy"] == both["accuracy_reference"]).sum())
