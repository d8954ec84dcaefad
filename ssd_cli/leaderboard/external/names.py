"""Names of columns and rows in tables of results, and what they mean; docs/statistics.md lists those of the first four sets.

Capitals, ``_``, ``-``, blanks and a final colon do not matter.
"""

from __future__ import annotations

import re

DATASET = {"dataset", "datasets", "dataset name", "data set", "problem", "problems", "problem name"}
METHOD = {
    *("method", "methods", "method name", "classifier", "classifiers", "classifier name", "clf", "model", "models", "model name"),
    *("algorithm", "algorithms", "algorithm name", "estimator", "estimators", "estimator name", "approach"),
}
RUN = {"resample", "fold", "run", "seed", "iteration", "iter", "itr", "repetition", "repeat", "rep", "trial", "init"}
"""Also in the plural, and with ``id`` or ``number``."""
ACCURACY = {"accuracy", "acc"}
"""Also with ``mean``, ``average``, ``avg`` or ``test``."""

ACCURACY_WORDS = ACCURACY | {"mean", "average", "avg", "test"}
SPREAD = {"std", "sd", "stdev", "stddev", "stderr", "deviation"}
COUNTS = {
    *("n", "number", "count", "size", "length", "classes", "cases", "channels", "dimensions", "timepoints", "instances"),
    *("samples", "results", "wins", "win", "ties", "tie", "draws", "losses", "epochs", "parameters", "params", "flops"),
    *("macs", "memory", "archive", "id", "index", "type", "category", "domain"),
}
OTHER_MEASURES = {
    *("precision", "recall", "f1", "auc", "auroc", "roc", "nll", "loss", "logloss", "kappa", "mcc", "balacc", "balanced"),
    *("error", "errors", "err", "rmse", "mse", "mae", "rank", "ranks", "sensitivity", "specificity"),
}
NOT_TEST = {"train", "training", "val", "validation"}
_TIMES = {
    *("time", "times", "seconds", "sec", "secs", "ms", "milliseconds", "minutes", "hours", "duration", "runtime", "latency"),
}
_LINKS = {
    *("standard", "fit", "predict", "prediction", "inference", "total", "of", "per", "the", "no", "macro", "micro", "weighted"),
    *("score", "log", "series", "min", "max", "median", "low", "high", "var", "variance", "best", "name", "note", "notes"),
    *("comment", "reason", "ranked"),
}
NO_METHOD = ACCURACY_WORDS | SPREAD | OTHER_MEASURES | NOT_TEST | _TIMES | COUNTS | _LINKS
"""A column whose name has no other word than these is no method."""
_AGGREGATES = {
    *("average", "avg", "mean", "median", "total", "sum", "std", "stdev", "variance", "rank", "ranks", "wins", "win", "ties"),
    *("tie", "losses", "loss", "draws", "count", "best", "overall", "min", "max"),
}


def words(text: str) -> list[str]:
    """Return the words of a name in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def is_one_of(text: str, known: set[str]) -> bool:
    """Whether a name is one of those known."""
    return " ".join(words(text)) in known


def is_accuracy(text: str) -> bool:
    """Whether a name is that of a column of accuracies."""
    found = set(words(text))
    return found <= ACCURACY_WORDS and bool(found & ACCURACY)


def run_word(text: str) -> str:
    """Return the word of `RUN` if a name is that of a column of runs, else an empty text."""
    found = [word for word in words(text) if word not in ("id", "number", "no", "index")]
    singular = found[0].removesuffix("s") if len(found) == 1 else ""
    return singular if singular in RUN else ""


def is_aggregate(text: str) -> bool:
    """Whether a name in the column of datasets is that of a row of averages, ranks, wins and the like."""
    found = words(text)
    return bool(found) and (found[0] in _AGGREGATES or found[-1] in _AGGREGATES)
