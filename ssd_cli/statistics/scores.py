"""Scores of predicted probabilities. The predicted class is the most probable one everywhere, the lowest index on ties."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

NLL_CLIP = 1e-7
"""Probabilities below it count as it, so that one confident mistake does not make a mean infinite."""

ECE_BINS = 15
"""Guo et al. 2017, "On calibration of modern neural networks"."""


def all_scores(y: Ints, probabilities: Probabilities) -> dict[str, float]:
    """Every score of one cell.

    Parameters
    ----------
    y : ndarray of int, shape (n_cases,)
        True class indices.
    probabilities : ndarray of float64, shape (n_cases, n_classes)

    Returns
    -------
    dict
        accuracy, balanced_accuracy, macro_f1, nll, brier, ece
    """
    return {
        "accuracy": accuracy(y, probabilities),
        "balanced_accuracy": balanced_accuracy(y, probabilities),
        "macro_f1": macro_f1(y, probabilities),
        "nll": nll(y, probabilities),
        "brier": brier(y, probabilities),
        "ece": ece(y, probabilities),
    }


def predicted(probabilities: Probabilities) -> Ints:
    """The predicted class of each case: (…, n_cases, n_classes) to (…, n_cases)."""
    return np.argmax(probabilities, axis=-1)


def accuracy(y: Ints, probabilities: Probabilities) -> float:
    """Share of the cases whose predicted class is the true one."""
    return float(np.mean(predicted(probabilities) == y))


def balanced_accuracy(y: Ints, probabilities: Probabilities) -> float:
    """Mean recall of the classes that occur in `y`."""
    hits = np.bincount(y, weights=predicted(probabilities) == y)
    counts = np.bincount(y)
    return float(np.mean(hits[counts > 0] / counts[counts > 0]))


def macro_f1(y: Ints, probabilities: Probabilities) -> float:
    """Mean F1 of the classes that occur in `y` or are predicted."""
    guess, n_classes = predicted(probabilities), probabilities.shape[1]
    hits = np.bincount(y[guess == y], minlength=n_classes)
    sizes = np.bincount(y, minlength=n_classes) + np.bincount(guess, minlength=n_classes)
    return float(np.mean(2 * hits[sizes > 0] / sizes[sizes > 0]))


def nll(y: Ints, probabilities: Probabilities) -> float:
    """Mean negative log-likelihood (natural logarithm), probabilities clipped at `NLL_CLIP`."""
    return float(-np.mean(np.log(np.maximum(probabilities[np.arange(len(y)), y], NLL_CLIP))))


def brier(y: Ints, probabilities: Probabilities) -> float:
    """Mean over cases of the squared distance to the one-hot truth, summed over classes: 0 to 2 (Brier 1950)."""
    errors = probabilities.copy()
    errors[np.arange(len(y)), y] -= 1
    return float(np.mean(np.sum(errors**2, axis=1)))


def ece(y: Ints, probabilities: Probabilities) -> float:
    """Expected calibration error of the predicted class over `ECE_BINS` equal-width bins ((m - 1)/M, m/M]."""
    confidence = probabilities.max(axis=1)
    gap = (predicted(probabilities) == y) - confidence
    bins = np.digitize(confidence, np.linspace(0, 1, ECE_BINS + 1)[1:-1], right=True)
    return float(np.abs(np.bincount(bins, weights=gap, minlength=ECE_BINS)).sum() / len(y))


def agreement(first: Probabilities, second: Probabilities) -> float:
    """Share of the cases for which two predictors predict the same class."""
    return float(np.mean(predicted(first) == predicted(second)))


def disagreement(members: Probabilities) -> float:
    """Mean over all pairs of members of the share of cases they predict differently; 0 for a single member.

    Parameters
    ----------
    members : ndarray, shape (n_members, n_cases, n_classes)
    """
    guess = predicted(members)
    first, second = np.triu_indices(len(guess), k=1)
    return float(np.mean(guess[first] != guess[second])) if len(first) else 0.0
