"""The contract of methods."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ssd_cli.archives.dataset import Part, make_dataset
from ssd_cli.archives.prepare import Preparation
from ssd_cli.backbones.base import Backbone
from ssd_cli.configuration import as_dict
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.recording import record_trainings
from ssd_cli.methods.registry import methods
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.protocol.split import split
from ssd_cli.testing.problem import (
    LEARNING,
    QUICK,
    SmallBackbone,
    check_configuration,
    fingerprint,
    verify,
    waves,
    waves_training_set,
    workbench,
)
from ssd_cli.training import checkpoint
from ssd_cli.training.networks import MemoryNetworks, Networks
from ssd_cli.training.predict import freeze
from ssd_cli.training.workbench import Workbench

NEIGHBOURS = ("ens-avg", "swa", "single-dropout")
"""Methods whose shared networks another method may find."""


def check_method(method: Method) -> None:
    """Check everything that a method must do; takes some seconds.

    The label gives the configuration back; the trainings can be recorded; the same seed gives the same bits, and another seed other
    weights; test labels do not matter; shared networks of other methods do not matter; a training that is interrupted and resumed
    ends with the same bits; an easy problem is learned.

    Parameters
    ----------
    method : Method

    Raises
    ------
    AssertionError
        Says what is wrong.
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
    """Check that recording finds the trainings that `fit` books."""
    bench = workbench(recipe=QUICK)
    recorded = record_trainings(method, bench.backbone, bench.recipe)
    verify(not recorded.error, f"fit fails on the recording workbench: {recorded.error}")
    _fit(method, bench)
    booked = [(entry.epochs, bool(entry.key)) for entry in bench.ledger.entries]
    counted = [(training.epochs, bool(training.shared)) for training in recorded.trainings]
    verify(counted == booked, f"Recorded trainings (epochs, shared) {counted} differ from those of a fit, {booked}.")


def check_test_labels_do_not_matter(method: Method) -> None:
    """Check that permuted test labels change no weight; a second fit of the same cell has the same bits for the same reason."""
    found = []
    for permute in (False, True):
        dataset = _dataset(permute)
        training_set, sealed_test = split(dataset, 0, Preparation())
        bench = workbench(training_set, QUICK)
        predictor = _fit(method, bench)
        teacher = [] if predictor.teacher is None else [predictor.teacher]
        curves = [(entry.label, entry.key, entry.curve) for entry in bench.ledger.entries]
        found.append((fingerprint(*predictor.networks, *teacher), curves))
        del sealed_test
    verify(found[0] == found[1], "Two fits with the same seed have other weights: a random stream is not the workbench's.")


def check_seeds_matter(method: Method) -> None:
    """Check that another seed gives other weights."""
    prints = {fingerprint(*_fit(method, workbench(recipe=QUICK, seed=seed)).networks) for seed in (0, 1)}
    verify(len(prints) == 2, "Two seeds have the same weights: the network does not depend on the workbench's seed.")


def check_neighbours_do_not_matter(method: Method) -> None:
    """Check that shared networks which other methods trained give the same bits as training them."""
    alone = fingerprint(*_fit(method, workbench(recipe=QUICK)).networks)
    store = MemoryNetworks()
    for neighbour in NEIGHBOURS:
        _fit(methods.get(neighbour)(), workbench(recipe=QUICK, networks=store))
    found = fingerprint(*_fit(method, workbench(recipe=QUICK, networks=store)).networks)
    verify(found == alone, "Weights differ where shared networks are already trained: a shared network was changed in place.")


def check_resumes(method: Method) -> None:
    """Check that trainings which are interrupted after each epoch, and resumed, end with the same bits."""
    expected = fingerprint(*_fit(method, workbench(recipe=QUICK)).networks)
    networks, checkpoints = MemoryNetworks(), _Interrupting()
    with _checkpoint_after_each_epoch():
        for _ in range(100):
            try:
                predictor = _fit(method, workbench(recipe=QUICK, networks=networks, checkpoints=checkpoints, name="check"))
                break
            except _Interrupted:
                continue
        else:
            raise AssertionError("A training that is resumed from its checkpoints does not end.")
    verify(
        fingerprint(*predictor.networks) == expected, "A resumed training has other weights: remove `resumable` or add its state."
    )


def check_learns(method: Method, networks: Networks | None = None) -> None:
    """Check 95 % accuracy on an easy problem, valid probabilities, and networks without additional modules.

    Parameters
    ----------
    method : Method
    networks : Networks, optional
        Where the checks of several methods share networks.
    """
    backbone = SmallBackbone(12)  # the narrow version of a narrower one is too small to learn
    bench = workbench(waves_training_set(60), LEARNING, backbone=backbone, networks=networks or MemoryNetworks())
    verify(method.skip(bench.training_set, backbone) is None, "The method skips the easy problem.")
    predictor = _fit(method, bench)
    plain = bench.fresh(0).state_dict().keys()
    for network in predictor.networks:
        freeze(network)
        verify(network.state_dict().keys() == plain, "A deployed network has modules beside those of its backbone.")
    X, y = waves(150, seed=1)
    probabilities = predictor.predict_proba(X)
    verify(probabilities.shape == (150, 3), f"predict_proba has shape {probabilities.shape}, expected (150, 3).")
    verify(probabilities.dtype == np.float64, f"predict_proba has dtype {probabilities.dtype}, expected float64.")
    valid = bool((probabilities >= 0).all()) and np.allclose(probabilities.sum(1), 1, rtol=0, atol=1e-6)
    verify(valid, "Probabilities are negative, or do not sum to 1.")
    same = np.allclose(predictor.predict_proba(X[:7]), probabilities[:7], rtol=0, atol=1e-5)
    verify(same, "The prediction of a case depends on the other cases.")
    accuracy = float((probabilities.argmax(1) == y).mean())
    verify(accuracy >= 0.95, f"The accuracy on sines, squares and saws is {accuracy:.2f}, expected at least 0.95.")


def check_runs_on(method: Method, backbone: Backbone) -> None:
    """Check one epoch on series of two channels."""
    X, y = waves(9, n_timepoints=16)
    training_set = TrainingSet(np.concatenate([X, -X], axis=1), y, 3, "Waves")
    bench = workbench(training_set, QUICK, backbone=backbone)
    if method.skip(training_set, backbone) is None:
        probabilities = _fit(method, bench).predict_proba(training_set.X)
        verify(probabilities.shape == (9, 3) and bool(np.isfinite(probabilities).all()), "Probabilities are not finite.")


def _fit(method: Method, bench: Workbench) -> Predictor:
    predictor = method.fit(bench.training_set, bench)
    verify(isinstance(predictor, Predictor), f"fit returned {type(predictor).__name__}, expected a Predictor.")
    return predictor


def _dataset(permute_test_labels: bool) -> Any:
    parts = []
    for X, y in (waves(21), waves(30, seed=1)):
        labels = np.random.default_rng(0).permutation(y) if permute_test_labels and parts else y
        parts.append(Part([series.astype(np.float64) for series in X], labels.astype(str)))
    return make_dataset("Waves", *parts)


class _Interrupted(BaseException):
    """The process stops; no method handles it."""


class _Interrupting:
    """Checkpoints in memory, each of which interrupts the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def load(self, key: str) -> Any:
        """Return what was last saved under a key."""
        return copy.deepcopy(self._kept.get(key))

    def save(self, key: str, arrays: Any, facts: dict[str, Any]) -> None:
        """Keep a checkpoint, then interrupt."""
        self._kept[key] = copy.deepcopy((arrays, facts))
        raise _Interrupted

    def discard(self, key: str) -> None:
        """Delete a checkpoint."""
        self._kept.pop(key, None)


@contextmanager
def _checkpoint_after_each_epoch() -> Iterator[None]:
    before, checkpoint.SECONDS = checkpoint.SECONDS, 0.0
    try:
        yield
    finally:
        checkpoint.SECONDS = before
