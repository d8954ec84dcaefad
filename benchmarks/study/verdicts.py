"""Answer the questions of the study with the tests and corrections that were fixed before the first training.

Five questions for `ssd`, and five for `ssd-mid`: is it better than each of four controls (Wilcoxon's signed-rank test over
datasets, two-sided), and is it equivalent to `ens-avg` within half a point of accuracy (two one-sided tests)? Holm's correction
over the five. Accuracies are averaged over resamples first. `finetune` and `single-dropout` have the dropout sites of `ssd-mid`
in its family; `feat-kd` and `ssd-random-k` have dropout at the embedding in both.

Only lite40 has enough datasets for a test; in the other suites the differences are described.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tables
from suites import Loaded

from ssd_cli.statistics.bayes import signed_rank
from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.intervals import METHOD
from ssd_cli.statistics.pairs import datasets_needed, holm
from ssd_cli.statistics.ranks import contests
from ssd_cli.statistics.variance import detectable
from ssd_cli.statistics.wilcoxon import equivalence, wilcoxon

MARGIN = 0.005
ALPHA = 0.05
REFERENCE = "ens-avg"
FAMILIES = {
    "ssd": ("finetune", "single-dropout", "feat-kd", "ssd-random-k", REFERENCE),
    "ssd-mid": (
        "finetune[dropout_sites=embed+mid]", "single-dropout[dropout_sites=embed+mid]", "feat-kd", "ssd-random-k", REFERENCE,
    ),
}  # fmt: skip
"""Methods and what they are compared with."""
HEAD = [
    "suite", "method", "question", "other", "datasets", "difference", "low", "high", "wins", "ties", "losses", "p", "p_holm",
    "p_worse", "p_same", "p_better", "detectable", "verdict",
]  # fmt: skip
NOTE = (
    f"Differences of accuracies averaged over resamples, method minus other, with 95 % intervals over datasets ({METHOD}). "
    "p: two-sided signed-rank test, or the larger of the two one-sided tests of equivalence within ±0.005; p Holm: over the "
    "five. Worse, same, better: probabilities of the Bayesian signed-rank test with a rope of ±0.005. Detectable: the difference "
    "that the two-sided test would find with a probability of 80 % at the first step of the correction; an equivalence within "
    "less than about that cannot be shown either."
)


class Question(NamedTuple):
    """A question and its answer before the correction; p is NaN where no dataset is complete."""

    other: str
    differences: np.ndarray
    p: float


def scores(one: Loaded, method: str) -> dict[str, np.ndarray]:
    """Return mean accuracies (n_datasets,) of a method and its five others; NaN where a dataset is not complete."""
    found: dict[str, np.ndarray] = {}
    for name in (method, *FAMILIES[method]):
        datasets, values = one.done([name], "accuracy")
        known = dict(zip(datasets, values[:, 0].tolist(), strict=True))
        found[name] = np.array([known.get(dataset, np.nan) for dataset in sorted(one.suite["dataset"])])
    return found


def ask(method: str, found: dict[str, np.ndarray]) -> list[Question]:
    """Ask the five questions about a method, given mean accuracies as of `scores`."""
    answers = []
    for other in FAMILIES[method]:
        difference = found[method] - found[other]
        difference = difference[np.isfinite(difference)]
        if len(difference):
            p = (equivalence(difference, MARGIN) if other == REFERENCE else wilcoxon(difference)).p
        answers.append(Question(other, difference, p if len(difference) else np.nan))
    return answers


def judge(suite: str, method: str, found: dict[str, np.ndarray], tested: bool) -> list[dict[str, object]]:
    """Return the five rows of a method, each a dict with the keys of `HEAD`; a question without data counts as p = 1 for Holm."""
    answers = ask(method, found)
    adjusted = holm(np.array([1.0 if np.isnan(answer.p) else answer.p for answer in answers]))
    rows = []
    for answer, p_holm in zip(answers, adjusted.tolist(), strict=True):
        equal, n = answer.other == REFERENCE, len(answer.differences)
        row: dict[str, object] = dict.fromkeys(HEAD, np.nan) | {
            "suite": suite, "method": method, "question": f"equivalent within {MARGIN:g} to" if equal else "better than",
            "other": answer.other, "datasets": n, "verdict": "described only" if n else "no complete dataset",
        }  # fmt: skip
        if n:
            pair = np.stack([answer.differences, np.zeros(n)], axis=1)
            size = effects(pair)
            row |= dict(zip(("difference", "low", "high"), (float(part[0, 1]) for part in size[:3]), strict=True))
            row |= {"detectable": detectable(pair, ALPHA / len(answers))}
            row |= dict(zip(("wins", "ties", "losses"), (int(part[0, 1]) for part in contests(pair)), strict=True))
            if tested:
                bayes = signed_rank(answer.differences, MARGIN)
                row |= {"p": answer.p, "p_holm": p_holm} | dict(zip(("p_worse", "p_same", "p_better"), bayes, strict=True))
                row["verdict"] = _verdict(equal, n, float(size.rank_biserial[0, 1]), p_holm)
        rows.append(row)
    return rows


def _verdict(equal: bool, n_datasets: int, direction: float, p_holm: float) -> str:
    if n_datasets < datasets_needed(5, ALPHA):
        return f"too few datasets: {datasets_needed(5, ALPHA)} are needed"
    if equal:
        return "equivalent" if p_holm <= ALPHA else "equivalence not shown"
    if p_holm > ALPHA:
        return "no difference found"
    return "better" if direction > 0 else "worse"


def table(rows: list[dict[str, object]]) -> tables.Table:
    """Return all columns."""
    return HEAD, [[row[key] for key in HEAD] for row in rows]


def short(rows: list[dict[str, object]]) -> tables.Table:
    """Return the columns of a page about tested rows."""
    head = ["method", "question", "n", "difference", "95 % interval", "W/T/L", "p", "p Holm", "worse/same/better", "detectable",
            "verdict"]  # fmt: skip
    return head, [
        [
            row["method"], f"{row['question']} {row['other']}", row["datasets"], row["difference"], _interval(row), _counts(row),
            row["p"], row["p_holm"], "/".join(f"{row[key]:.2f}" for key in ("p_worse", "p_same", "p_better")), row["detectable"],
            row["verdict"],
        ]
        for row in rows
    ]  # fmt: skip


def described(rows: list[dict[str, object]]) -> tables.Table:
    """Return differences alone, for suites that are too small for a test."""
    return ["suite", "method", "minus", "n", "difference", "95 % interval", "W/T/L"], [
        [row["suite"], row["method"], row["other"], row["datasets"], row["difference"], _interval(row), _counts(row)]
        for row in rows
    ]


def _interval(row: dict[str, object]) -> str:
    low, high = float(row["low"]), float(row["high"])  # type: ignore[arg-type]
    return "–" if np.isnan(low) else f"{low:+.4f} to {high:+.4f}"


def _counts(row: dict[str, object]) -> str:
    return f"{row['wins']}/{row['ties']}/{row['losses']}" if row["datasets"] else "–"
