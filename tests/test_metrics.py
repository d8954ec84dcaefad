import itertools

import numpy as np
import pytest
from sklearn import metrics

from ssd_cli import metrics as scores
from ssd_cli.store import tsml
from tests.store.builders import make_predictions, make_record


@pytest.mark.parametrize(("n_cases", "n_classes"), [(10, 2), (200, 2), (97, 5), (300, 60)])
def test_scores_agree_with_scikit_learn(n_cases, n_classes):
    y, p = make_predictions(n_cases, n_classes, seed=n_cases)
    guess = p.argmax(axis=1)
    found = scores.all_scores(y, p)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, guess), abs=1e-12)
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, guess), abs=1e-12)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, guess, average="macro"), abs=1e-12)
    assert found["nll"] == pytest.approx(metrics.log_loss(y, p, labels=range(n_classes)), abs=1e-12)
    if n_classes > 2:
        assert found["brier"] == pytest.approx(
            metrics.brier_score_loss(y, p, labels=range(n_classes), scale_by_half=False), abs=1e-12
        )


def test_a_class_that_neither_occurs_nor_is_predicted_does_not_count():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.2, 0.8, 0.0], [0.4, 0.6, 0.0]])
    guess = p.argmax(axis=1)
    assert scores.balanced_accuracy(y, p) == pytest.approx(0.75)
    assert scores.macro_f1(y, p) == pytest.approx(metrics.f1_score(y, guess, average="macro"), abs=1e-12)


def test_ece_counted_bin_by_bin():
    y, p = make_predictions(500, 4, seed=1)
    p[:15] = np.eye(4)[y[:15]]  # confidence exactly 1 falls into the last bin
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert scores.ece(y, p) == pytest.approx(total, abs=1e-12)


def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower_one():
    edge = np.linspace(0, 1, 16)[9]
    p = np.array([[edge, 1 - edge], [edge + 0.001, 1 - edge - 0.001]])
    assert scores.ece(np.array([0, 1]), p) == pytest.approx(((1 - edge) + (edge + 0.001)) / 2)  # in one bin they would cancel


def test_a_certain_mistake_costs_what_the_clip_says():
    assert scores.nll(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-7))
    assert scores.brier(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(2.0)


def test_ties_go_to_the_lowest_class():
    p = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert scores.accuracy(np.array([0, 1]), p) == 0.5
    assert scores.predicted(p).tolist() == [0, 0]


def test_agreement_and_disagreement_are_complements_for_a_pair():
    _, first = make_predictions(100, 3, seed=1)
    _, second = make_predictions(100, 3, seed=2)
    assert scores.agreement(first, second) == pytest.approx(1 - scores.disagreement(np.stack([first, second])))
    assert scores.disagreement(first[None]) == 0.0


def test_disagreement_is_the_mean_over_pairs():
    members = np.stack([make_predictions(50, 3, seed=seed)[1] for seed in range(4)])
    pairs = [1 - scores.agreement(members[i], members[j]) for i, j in itertools.combinations(range(4), 2)]
    assert scores.disagreement(members) == pytest.approx(np.mean(pairs))


def test_scores_recounted_from_the_file_are_exactly_those_of_the_arrays():
    y, p = make_predictions(300, 7, seed=3)
    true, read = tsml.read(tsml.write(make_record(), y, p), "file")
    assert scores.all_scores(true, read) == scores.all_scores(y, p)
