"""The contract of methods."""

from __future__ import annotations

import copy
import json
from typing import Any
from unittest.mock import patch

import numpy as np

from ssd_cli.archives.dataset import Part, make_dataset
from ssd_cli.archives.prepare import Preparation
from ssd_cli.configuration import as_dict
from ssd_cli.methods import methods
from ssd_cli.methods.base import Backbone, Method, Predictor, TrainingSet, Workbench
from ssd_cli.methods.recording import record_trainings
from ssd_cli.protocol.split import split
from ssd_cli.testing import problem
from ssd_cli.testing.problem import QUICK, check_configuration, fingerprint, verify, waves, workbench
from ssd_cli.training import checkpoint
from ssd_cli.training.networks import MemoryNetworks, Networks
from ssd_cli.training.predict import freeze


def check_method(method: Method) -> None:
    """Check the contract of a method on a small problem; takes some seconds.

    The configuration is frozen, and its label can be parsed into an equal one. Recording finds the trainings that `fit` runs. Test
    labels change nothing. Another seed changes the networks; the same seed gives the same bits after any other computation. A
    killed training resumes with the same bits. The method learns an easy problem.

    Raises
    ------
    AssertionError
        What is wrong.
    """
    for check in (
        check_identity,
        check_recording,
        check_test_labels_do_not_matter,
        check_seeds_matter,
        check_neighbours_do_not_matter,
        check_resumes,
        check_learns,
    ):
        check(method)


def check_identity(method: Method) -> None:
    """Check that the configuration can be written as a label and as JSON."""
    check_configuration(method)
    json.dumps(as_dict(method), allow_nan=False)


def check_recording(method: Method) -> None:
    """Check that recording finds the trainings that `fit` runs."""
    bench = workbench(recipe=QUICK)
    recorded = record_trainings(method, bench.backbone, bench.recipe)
    verify(not recorded.error, f"fit fails on the recording workbench: {recorded.error}")
    _fit(method, bench)
    n_cases = bench.training_set.n_cases
    booked = [(entry.epochs, bool(entry.key), entry.n_cases < n_cases) for entry in bench.ledger.entries]
    counted = [(training.epochs, bool(training.shared), training.holdout) for training in recorded.trainings]
    verify(counted == booked, f"Recorded trainings (epochs, shared, held out) {counted} differ from those of a fit, {booked}.")


def check_test_labels_do_not_matter(method: Method) -> None:
    """Check that two fits of a cell have the same bits, although the test labels are permuted for the second."""
    found = []
    for permute in (False, True):
        training_set, _ = split(_dataset(permute), 0, Preparation())
        bench = workbench(training_set, QUICK)
        predictor = _fit(method, bench)
        teacher = [] if predictor.teacher is None else [predictor.teacher]
        curves = [(entry.label, entry.key, entry.curve) for entry in bench.ledger.entries]
        found.append((fingerprint(*predictor.networks, *teacher), curves))
    verify(found[0] == found[1], "Two fits with the same seed have other weights: a random stream is not the workbench's.")


def check_seeds_matter(method: Method) -> None:
    """Check that another seed gives other weights."""
    fingerprints = {_fingerprint(method, seed=seed) for seed in (0, 1)}
    verify(len(fingerprints) == 2, "Two seeds have the same weights: the network does not depend on the workbench's seed.")


def check_neighbours_do_not_matter(method: Method) -> None:
    """Check that shared networks trained by other methods give the same bits as new trainings."""
    store = MemoryNetworks()
    for neighbour in ("ens-avg", "swa", "single-dropout"):
        _fingerprint(methods.get(neighbour)(), networks=store)
    same = _fingerprint(method, networks=store) == _fingerprint(method)
    verify(same, "Weights differ where shared networks are already trained: a shared network was changed in place.")


def check_resumes(method: Method) -> None:
    """Check that trainings that are interrupted after each epoch and resumed end with the same bits."""
    stores = {"networks": MemoryNetworks(), "checkpoints": _Interrupting(), "name": "check"}
    with patch.object(checkpoint, "SECONDS", 0.0):  # a checkpoint after each epoch
        for _ in range(100):
            try:
                found = _fingerprint(method, **stores)
                break
            except _Interrupted:
                continue
        else:
            raise AssertionError("A training that is resumed from its checkpoints does not end.")
    verify(found == _fingerprint(method), "A resumed training has other weights: remove `resumable` or add its state.")


def check_learns(method: Method, networks: Networks | None = None) -> None:
    """Check 95 % accuracy on an easy problem, valid probabilities and plain networks; `networks` may be shared between checks."""
    backbone = problem.SmallBackbone(12)  # the narrow version of a narrower one is too small to learn
    training_set = problem.waves_training_set(60)
    bench = workbench(training_set, problem.LEARNING, backbone=backbone, networks=networks or MemoryNetworks())
    verify(method.skip(training_set, backbone) is None, "The method skips the easy problem.")
    predictor = _fit(method, bench)
    plain = bench.fresh(0).state_dict().keys()
    for network in predictor.networks:
        freeze(network)
        verify(network.state_dict().keys() == plain, "A deployed network has modules besides those of its backbone.")
    X, y = waves(150, seed=1)
    probabilities = predictor.predict_proba(X)
    what = f"{probabilities.dtype} of shape {probabilities.shape}"
    verify(what == "float64 of shape (150, 3)", f"predict_proba returned {what}, expected float64 of shape (150, 3).")
    valid = bool((probabilities >= 0).all()) and np.allclose(probabilities.sum(1), 1, rtol=0, atol=1e-6)
    verify(valid, "Probabilities are negative, or do not sum to 1.")
    same = np.allclose(predictor.predict_proba(X[:7]), probabilities[:7], rtol=0, atol=1e-5)
    verify(same, "The prediction of a case depends on the other cases.")
    accuracy = float((probabilities.argmax(1) == y).mean())
    verify(accuracy >= 0.95, f"The accuracy on sines, squares and saws is {accuracy:.2f}, expected at least 0.95.")


def check_runs_on(method: Method, backbone: Backbone) -> None:
    """Check one epoch on series of two channels, unless the method skips the backbone."""
    X, y = waves(9, n_timepoints=16)
    training_set = TrainingSet(np.concatenate([X, -X], axis=1), y, 3, "Waves")
    if method.skip(training_set, backbone) is None:
        probabilities = _fit(method, workbench(training_set, QUICK, backbone=backbone)).predict_proba(training_set.X)
        verify(probabilities.shape == (9, 3) and bool(np.isfinite(probabilities).all()), "Probabilities are not finite.")


def _fit(method: Method, bench: Workbench) -> Predictor:
    predictor = method.fit(bench.training_set, bench)
    verify(isinstance(predictor, Predictor), f"fit returned {type(predictor).__name__}, expected a Predictor.")
    return predictor


def _fingerprint(method: Method, **options: Any) -> str:
    return fingerprint(*_fit(method, workbench(recipe=QUICK, **options)).networks)


def _dataset(permute_test_labels: bool) -> Any:
    (X, y), (X_test, y_test) = waves(21), waves(30, seed=1)
    y_test = np.random.default_rng(0).permutation(y_test) if permute_test_labels else y_test
    return make_dataset("Waves", *(Part(list(x.astype(float)), labels.astype(str)) for x, labels in ((X, y), (X_test, y_test))))


class _Interrupted(BaseException):
    """Simulates the end of the process; no method catches it."""


class _Interrupting:
    """A store of checkpoints in memory that raises `_Interrupted` after each checkpoint."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def load(self, key: str) -> Any:
        return copy.deepcopy(self._kept.get(key))

    def save(self, key: str, arrays: Any, facts: dict[str, Any]) -> None:
        self._kept[key] = copy.deepcopy((arrays, facts))
        raise _Interrupted

    def discard(self, key: str) -> None:
        self._kept.pop(key, None)
