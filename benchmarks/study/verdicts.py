"""The verdicts of the study: questions, tests and corrections as they were fixed before the first training.

For `ssd`, and again for `ssd-mid` with its own controls, five questions: is it better than `finetune`, `single-dropout`,
`feat-kd` and `ssd-random-k` (Wilcoxon's signed-rank test over datasets, two-sided as everywhere in this tool, the direction
shown), and is it equivalent to `ens-avg` within half a point of accuracy (two one-sided tests; beside it the Bayesian
signed-rank test with that rope). Holm's correction over the five. Accuracies are averaged over resamples first.

The controls of `ssd-mid` are `finetune` and `single-dropout` with the same sites; `feat-kd` and `ssd-random-k` are the ones
that are in the suites, with dropout at the site `embed` only.

Only study A has enough datasets to test; elsewhere the differences are described.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tables

from ssd_cli.statistics.bayes import signed_rank
from ssd_cli.statistics.effects import effects
from ssd_cli.statistics.equivalence import equivalence
from ssd_cli.statistics.ranks import contests
from ssd_cli.statistics.tests import datasets_needed, holm, wilcoxon
from ssd_cli.statistics.variance import detectable

MARGIN = 0.005
ALPHA = 0.05


class Family(NamedTuple):
    """Five questions about one method."""

    method: str
    controls: tuple[str, ...]
    reference: str = "ens-avg"

    @property
    def others(self) -> tuple[str, ...]:
        """All five that it is compared with."""
        return (*self.controls, self.reference)


FAMILIES = (
    Family("ssd", ("finetune", "single-dropout", "feat-kd", "ssd-random-k")),
    Family(
        "ssd-mid",
        ("finetune[dropout_sites=embed+mid]", "single-dropout[dropout_sites=embed+mid]", "feat-kd", "ssd-random-k"),
    ),
)
HEAD = [
    "suite", "method", "question", "other", "datasets", "difference", "low", "high", "wins", "ties", "losses", "p", "p_holm",
    "p_worse", "p_same", "p_better", "detectable", "verdict",
]  # fmt: skip
NOTE = (
    "Differences of accuracies averaged over resamples, method minus other; the interval is the bootstrap over datasets at 95 %. "
    "p: two-sided signed-rank test, or the larger of the two one-sided tests of equivalence within ±0.005; p Holm: over the "
    "five. Worse, same, better: probabilities of the Bayesian signed-rank test with a rope of ±0.005. Detectable: the difference "
    "that the two-sided test would find with a probability of 80 % at the first step of the correction; an equivalence within "
    "less than about that cannot be shown either."
)


class Question(NamedTuple):
    """One question and its answer before the correction; NaN where it was not asked."""

    other: str
    differences: np.ndarray
    p: float


def ask(family: Family, scores: dict[str, np.ndarray]) -> list[Question]:
    """The five questions of a family.

    Parameters
    ----------
    family : Family
    scores : dict of str to ndarray, shape (n_datasets,)
        Mean accuracy by method, NaN where a dataset is not complete. A method that is absent gives an empty answer.
    """
    answers = []
    for other in family.others:
        if family.method not in scores or other not in scores:
            answers.append(Question(other, np.empty(0), np.nan))
            continue
        difference = scores[family.method] - scores[other]
        difference = difference[np.isfinite(difference)]
        test = equivalence(difference, MARGIN).p if other == family.reference else wilcoxon(difference).p
        answers.append(Question(other, difference, test if len(difference) else np.nan))
    return answers


def judge(suite: str, family: Family, scores: dict[str, np.ndarray], tested: bool) -> list[list[object]]:
    """The five rows of a family; a question that could not be asked counts as a p of 1 in the correction."""
    answers = ask(family, scores)
    adjusted = holm(np.array([1.0 if np.isnan(answer.p) else answer.p for answer in answers]))
    rows = []
    for answer, p_holm in zip(answers, adjusted.tolist(), strict=True):
        equal = answer.other == family.reference
        question = f"equivalent within {MARGIN:g} to" if equal else "better than"
        n = len(answer.differences)
        if not n:
            rows.append([suite, family.method, question, answer.other, 0, *[np.nan] * 12, "no complete dataset yet"])
            continue
        pair = np.stack([answer.differences, np.zeros(n)], axis=1)
        size, counts = effects(pair), contests(pair)
        interval = [size.low[0, 1], size.high[0, 1]] if n > 2 else [np.nan, np.nan]
        wins_ties_losses = [int(part[0, 1]) for part in counts]
        described = [n, float(size.mean[0, 1]), *interval, *wins_ties_losses]
        if tested:
            verdict = _verdict(equal, n, float(size.rank_biserial[0, 1]), p_holm)
            tests = [answer.p, p_holm, *signed_rank(answer.differences, MARGIN), detectable(pair, ALPHA / len(answers)), verdict]
        else:
            tests = [np.nan] * 5 + [detectable(pair, ALPHA / len(answers)), "described only"]
        rows.append([suite, family.method, question, answer.other, *described, *tests])
    return rows


def _verdict(equal: bool, n_datasets: int, direction: float, p_holm: float) -> str:
    if n_datasets < datasets_needed(5, ALPHA):
        return f"too few datasets: {datasets_needed(5, ALPHA)} are needed"
    if equal:
        return "equivalent" if p_holm <= ALPHA else "equivalence not shown"
    if p_holm > ALPHA:
        return "no difference found"
    return "better" if direction > 0 else "worse"


def table(rows: list[list[object]]) -> tables.Table:
    """All rows under their head."""
    return HEAD, rows


def short(rows: list[list[object]]) -> tables.Table:
    """The same in fewer columns, for reading."""
    head = [
        "method",
        "question",
        "n",
        "difference",
        "95 % interval",
        "W/T/L",
        "p",
        "p Holm",
        "worse/same/better",
        "detectable",
        "verdict",
    ]
    lines = []
    for row in rows:
        one = dict(zip(HEAD, row, strict=True))
        bayes = [float(one[key]) for key in ("p_worse", "p_same", "p_better")]  # type: ignore[arg-type]
        lines.append(
            [
                one["method"],
                f"{one['question']} {one['other']}",
                one["datasets"],
                one["difference"],
                _interval(one),
                "–" if not one["datasets"] else f"{one['wins']}/{one['ties']}/{one['losses']}",
                one["p"],
                one["p_holm"],
                "–" if np.isnan(bayes[0]) else "/".join(f"{value:.2f}" for value in bayes),
                one["detectable"],
                one["verdict"],
            ]
        )
    return head, lines


def described(rows: list[list[object]]) -> tables.Table:
    """Differences alone, for the studies that are too small to test; what was not run is left out."""
    lines = []
    for row in rows:
        one = dict(zip(HEAD, row, strict=True))
        if one["datasets"]:
            counts = f"{one['wins']}/{one['ties']}/{one['losses']}"
            lines.append([one["suite"], one["method"], one["other"], one["datasets"], one["difference"], _interval(one), counts])
    return ["suite", "method", "minus", "n", "difference", "95 % interval", "W/T/L"], lines


def _interval(one: dict[str, object]) -> str:
    low, high = float(one["low"]), float(one["high"])  # type: ignore[arg-type]
    return "–" if np.isnan(low) else f"{low:+.4f} to {high:+.4f}"
