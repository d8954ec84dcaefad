"""The table of metrics: every score, distillation figure and cost that tables, figures, files and the page show.

Register a `Metric` here to add a column: CSV, Markdown, LaTeX, terminal, page and `Summary` read this table. A score is computed
from the stored probabilities by `Metric.compute`; any other metric is read from the scores or the costs of a record.
The predicted class is the most probable one, with the lowest index on ties.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
Compute = Callable[[Ints, Probabilities], float]

NLL_CLIP = 1e-7
"""Lower bound of probabilities in the NLL, so that one probability of 0 does not make a mean infinite."""

ECE_BINS = 15
"""Guo et al. 2017, "On calibration of modern neural networks"."""

MATCHED = 1.01
"""Largest ratio of multiply-accumulates to `single` that is treated as the same inference cost; a method may change the head."""

MATCHED_RANK = "average_rank_at_matched_inference"

RANKED = "accuracy"
"""Key of the score by which methods are ranked."""

SHARE = (0.0, 1.0)
ROUNDING = 1e-6
"""A value may lie outside its bounds by this much: probabilities in single precision do not sum to exactly 1."""

DEFAULT_COST = "latency_ms_p50"
"""Key of the cost that the page plots first."""

DEPLOYED_KINDS = {"float": "ONNX", "int8": "int8"}
"""Kinds of exported models, and their names in tables."""

DEPLOYED_FIGURES = ("accuracy", "size_bytes", "latency_ms_p50", "latency_ms_p95")

KINDS = ("score", "distillation", "training", "cost")
SOURCES = ("record", "deployed", "derived")
DIRECTIONS = ("up", "down", "none")
PLACES = frozenset({"table", "csv", "page"})


@dataclass(frozen=True)
class Metric:
    """One column.

    Parameters
    ----------
    key : str
        Name in CSV files, in the page's data and in `Summary.values`.
    direction : {"up", "down", "none"}
        Whether higher or lower values are better.
    kind : {"score", "distillation", "training", "cost"}
        Printed tables mark the best and the second of a score.
    format : str
        Format specification in printed tables (Markdown, LaTeX, terminal).
    heading : str
        Heading in printed tables, unit included; default: `title`, which the page shows.
    factor : float
        Printed tables show the value times this number.
    recorded : str
        Name in the records; default: `key`.
    source : {"record", "derived", "deployed"}
        Column of the records, computed by `summarise` from others, or read from exported models.
    places : frozenset of {"table", "csv", "page"}
        Outputs that have the column: printed tables, CSV files, page.
    terminal : int
        Priority in a narrow terminal; 1 is the highest.
    on_page : bool
        Whether the page shows the column before the user chooses columns.
    bounds : tuple of float, optional
        Lowest and highest possible value; a record outside them is refused. Default: at least 0 for a cost, none otherwise.
    """

    key: str
    title: str
    about: str
    direction: Literal["up", "down", "none"]
    kind: Literal["score", "distillation", "training", "cost"]
    unit: str = ""
    format: str = ".4f"
    heading: str = ""
    factor: float = 1.0
    recorded: str = ""
    source: Literal["record", "derived", "deployed"] = "record"
    places: frozenset[str] = PLACES
    terminal: int = 100
    on_page: bool = False
    compute: Compute | None = None
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for value, known in ((self.direction, DIRECTIONS), (self.kind, KINDS), (self.source, SOURCES)):
            if value not in known:
                raise ValueError(f"metric '{self.key}': '{value}' is not one of {', '.join(known)}")
        if not self.places <= PLACES:
            raise ValueError(f"metric '{self.key}': places are {', '.join(sorted(PLACES))}")
        if self.kind == "score" and self.direction == "none":
            raise ValueError(f"metric '{self.key}': a score needs a direction, up or down")
        object.__setattr__(self, "heading", self.heading or self.title)
        object.__setattr__(self, "recorded", self.recorded or self.key)
        lowest = 0.0 if self.kind == "cost" else -math.inf
        object.__setattr__(self, "bounds", self.bounds or (lowest, math.inf))

    def to_json(self) -> dict[str, Any]:
        """Return the entries that the page needs to show the column."""
        fields = ("key", "title", "about", "direction", "kind", "unit", "format")
        return {name: getattr(self, name) for name in fields} | {"shown": self.on_page}


METRICS: dict[str, Metric] = {}
"""All metrics by key, in the order of their registration; use `register` to add one."""


def register(metric: Metric) -> Metric:
    """Add a metric to the table; ValueError if its key is taken."""
    if metric.key in METRICS:
        raise ValueError(f"two metrics have the key '{metric.key}'")
    METRICS[metric.key] = metric
    return metric


def score(title: str, about: str, direction: Literal["up", "down"], **options: Any) -> Callable[[Compute], Compute]:
    """Register the decorated function as a score with its name as the key."""

    def decorate(function: Compute) -> Compute:
        register(Metric(function.__name__, title, about, direction, "score", compute=function, **options))
        return function

    return decorate


def metrics(place: str) -> list[Metric]:
    """Return the metrics that a place ("table", "csv" or "page") shows besides the ranked score, in the order of the place."""
    found = [metric for metric in METRICS.values() if place in metric.places and metric.key != RANKED]
    if place == "table":
        kinds = ("score", "training", "cost", "distillation")
        return sorted(found, key=lambda one: len(kinds) if one.source == "deployed" else kinds.index(one.kind))
    return sorted(found, key=lambda one: (SOURCES.index(one.source), KINDS.index(one.kind) if one.source == "record" else 0))


def check_bounds(values: Mapping[str, Any]) -> None:
    """Raise ValueError if a value of a record, by its recorded name, lies outside the bounds of its metric."""
    for metric in METRICS.values():
        value = values.get(metric.recorded) if metric.source == "record" else None
        low, high = metric.bounds or (-math.inf, math.inf)
        if value is not None and (value < low - ROUNDING or value > high + ROUNDING):
            raise ValueError(f"'{metric.recorded}' is {value!r}, expected {low:g} to {high:g}")


def all_scores(y: Ints, probabilities: Probabilities) -> dict[str, float]:
    """Compute every score of one cell, by key, from class indices (n_cases,) and probabilities (n_cases, n_classes)."""
    return {metric.key: metric.compute(y, probabilities) for metric in METRICS.values() if metric.compute is not None}


def predicted(probabilities: Probabilities) -> Ints:
    """Return the predicted class of each case: (…, n_cases, n_classes) to (…, n_cases)."""
    return np.argmax(probabilities, axis=-1)


@score("accuracy", "share of correctly classified cases", "up", bounds=SHARE)
def accuracy(y: Ints, probabilities: Probabilities) -> float:
    """Return the share of the cases whose predicted class is the true one."""
    return float(np.mean(predicted(probabilities) == y))


@score("balanced acc.", "mean recall of the classes", "up", terminal=16, bounds=SHARE)
def balanced_accuracy(y: Ints, probabilities: Probabilities) -> float:
    """Return the mean recall of the classes that occur in `y`."""
    hits = np.bincount(y, weights=predicted(probabilities) == y)
    counts = np.bincount(y)
    return float(np.mean(hits[counts > 0] / counts[counts > 0]))


@score("macro F1", "mean F1 of the classes", "up", bounds=SHARE)
def macro_f1(y: Ints, probabilities: Probabilities) -> float:
    """Return the mean F1 of the classes that occur in `y` or are predicted."""
    guess, n_classes = predicted(probabilities), probabilities.shape[1]
    hits = np.bincount(y[guess == y], minlength=n_classes)
    sizes = np.bincount(y, minlength=n_classes) + np.bincount(guess, minlength=n_classes)
    return float(np.mean(2 * hits[sizes > 0] / sizes[sizes > 0]))


@score("NLL", "mean negative log-likelihood", "down", terminal=9, on_page=True, bounds=(0.0, -math.log(NLL_CLIP)))
def nll(y: Ints, probabilities: Probabilities) -> float:
    """Return the mean negative log-likelihood (natural logarithm), with probabilities clipped at `NLL_CLIP`."""
    return float(-np.mean(np.log(np.maximum(probabilities[np.arange(len(y)), y], NLL_CLIP))))


@score("Brier", "squared distance to the truth, summed over classes", "down", bounds=(0.0, 2.0))
def brier(y: Ints, probabilities: Probabilities) -> float:
    """Return the mean over cases of the squared distance to the one-hot truth, summed over classes: 0 to 2 (Brier 1950)."""
    errors = probabilities.copy()
    errors[np.arange(len(y)), y] -= 1
    return float(np.mean(np.sum(errors**2, axis=1)))


@score("ECE", f"expected calibration error, {ECE_BINS} bins", "down", terminal=15, on_page=True, bounds=SHARE)
def ece(y: Ints, probabilities: Probabilities) -> float:
    """Return the expected calibration error of the predicted class over `ECE_BINS` equal-width bins ((m - 1)/M, m/M]."""
    confidence = probabilities.max(axis=1)
    gap = (predicted(probabilities) == y) - confidence
    bins = np.digitize(confidence, np.linspace(0, 1, ECE_BINS + 1)[1:-1], right=True)
    return float(np.abs(np.bincount(bins, weights=gap, minlength=ECE_BINS)).sum() / len(y))


def agreement(first: Probabilities, second: Probabilities) -> float:
    """Return the share of the cases for which two predictors predict the same class."""
    return float(np.mean(predicted(first) == predicted(second)))


def disagreement(members: Probabilities) -> float:
    """Return the share of cases that two members predict differently, averaged over all pairs of members; 0 for one member.

    `members` has the shape (n_members, n_cases, n_classes).
    """
    guess = predicted(members)
    first, second = np.triu_indices(len(guess), k=1)
    return float(np.mean(guess[first] != guess[second])) if len(first) else 0.0


_LIKE = "of the same backbone's single, geometric mean over the datasets"
_ALIKE = "; empty where that ran on another device, by another execution or with other threads"
_MATCHED_ABOUT = (
    "Average rank among the methods of the same backbone that cost no more at inference than its single "
    f"(at most {MATCHED} times its multiply-accumulates)"
)

for _metric in (
    Metric(MATCHED_RANK, "rank at 1×", _MATCHED_ABOUT, "down", "score", "", ".3f", source="derived",
           terminal=13, on_page=True),
    Metric("trainings", "trainings", "as if nothing was shared; a network trained further, as by swa, counts again", "down", "cost",
           format=".3g", recorded="networks_trained", on_page=True),
    Metric("networks_stored", "stored", "networks that the predictor needs", "down", "cost", "", ".3g", "nets stored"),
    Metric("fit_alone_relative_to_single", "fit ×", f"Training time as if nothing was shared, as a multiple {_LIKE}{_ALIKE}",
           "down", "cost", "×", ".2f", "fit alone ×single", source="derived", terminal=2, on_page=True),
    Metric("fit_spent_relative_to_single", "spent ×", f"Training time that was spent, as a multiple {_LIKE}{_ALIKE}",
           "down", "cost", "×", ".2f", "fit spent ×single", source="derived"),
    Metric("inference_relative_to_single", "inference ×", f"Multiply-accumulates of a prediction, as a multiple {_LIKE}",
           "down", "cost", "×", ".2f", "inference ×single", source="derived", terminal=1, on_page=True),
    Metric("fit_seconds_alone", "fit alone", "training time, as if nothing was shared", "down", "cost", "s", ".3g",
           places=frozenset({"csv", "page"})),
    Metric("fit_seconds_spent", "fit spent", "training time that was spent on the cell", "down", "cost", "s", ".3g",
           places=frozenset({"csv", "page"})),
    Metric("latency_ms_p50", "latency", "median time to predict one series", "down", "cost", "ms", ".3g", "latency [ms]",
           terminal=12, on_page=True),
    Metric("macs", "MACs", "multiply-accumulates to predict one series", "down", "cost", "", ".4g", "MMACs", 1e-6),
    Metric("parameters", "parameters", "of all networks that the predictor needs", "down", "cost", "", ",.0f", terminal=11,
           on_page=True),
    Metric("size_bytes", "size", "of all networks that the predictor needs", "down", "cost", "B", ",.0f", "kB", 1e-3),
    Metric("peak_memory_bytes", "peak memory", "of the process, while training", "down", "cost", "B", ",.0f",
           places=frozenset({"page"})),
    Metric("teacher_accuracy", "teacher acc.", "accuracy of the teacher", "up", "distillation", bounds=SHARE),
    Metric("gap", "gap", "Accuracy of the student minus that of its teacher", "up", "distillation", "", "+.4f", "gap to teacher",
           source="derived", places=frozenset({"table", "page"}), terminal=10),
    Metric("teacher_agreement", "agreement", "share of the cases for which student and teacher predict the same", "up",
           "distillation", bounds=SHARE),
    Metric("disagreement", "diversity", "mean pairwise disagreement of the members", "up", "distillation",
           heading="disagreement", bounds=SHARE),
    Metric("training_accuracy", "training acc.", "lowest accuracy of a network on its training cases, in evaluation mode", "none",
           "training", places=frozenset({"csv", "page"}), bounds=SHARE),
    Metric("converged", "fitted", "share of the cells whose networks have fitted their training cases", "up", "training", "", ".2f",
           terminal=8, bounds=SHARE),
):  # fmt: skip
    register(_metric)

for _first, (_kind, _name) in zip((3, 6), DEPLOYED_KINDS.items(), strict=True):
    for _metric in (
        Metric("accuracy", "acc.", "accuracy of the exported models", "up", "score", terminal=_first),
        Metric("size_bytes", "kB", "size of the exported models", "down", "cost", "", ",.0f", factor=1e-3, terminal=_first + 1),
        Metric("latency_ms_p50", "p50 [ms]", "median time to predict one series", "down", "cost", "", ".3g", terminal=_first + 2),
        Metric("latency_ms_p95", "p95 [ms]", "95th percentile of that time", "down", "cost", "", ".3g"),
    ):
        _key, _title = f"deployed_{_kind}_{_metric.key}", f"{_name} {_metric.title}"
        _of_export: dict[str, Any] = {"source": "deployed", "places": frozenset({"table", "csv"})}
        register(replace(_metric, key=_key, title=_title, heading="", recorded="", **_of_export))
