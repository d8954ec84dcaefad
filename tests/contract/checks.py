"""What every method must hold to, as functions of a registered name: a plug-in's author can call them too."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np

from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import Preparation
from ssd_cli.backbones.base import Backbone
from ssd_cli.backbones.registry import backbones
from ssd_cli.methods import methods
from ssd_cli.methods.recording import record_trainings
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.protocol.split import split
from ssd_cli.training.context import TrainingContext
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.predict import freeze
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.workbench import Workbench
from tests.small import SHORT, SmallBackbone, fingerprint, waves, workbench

# Long enough to learn the easy problem with a small network, also for a student that starts from random weights.
LEARNING = Recipe(epochs=40, student_epochs=50, learning_rate=1e-2, schedule="cosine", keep="last", batch_size=16, bn_momentum=0.1)
QUICK = dataclasses.replace(SHORT, epochs=2, student_epochs=1)


@cache
def shared_networks() -> MemoryNetworks:
    """One store for the whole sweep, as in a run: what one method leaves there, the next one finds."""
    return MemoryNetworks()


def check_learns(name: str) -> None:
    """At least 95 % on sines, squares and saws with noise; probabilities that are probabilities; nothing but declared networks."""
    training_set = TrainingSet(*waves(60), 3, "Waves")
    backbone = SmallBackbone(12)  # a narrower one has a narrow version that is too small to learn
    bench = workbench(training_set, LEARNING, backbone=backbone, networks=shared_networks())
    method = methods.get(name)()
    assert method.skip(training_set, backbone) is None
    predictor = method.fit(training_set, bench)
    for network in predictor.networks:
        freeze(network)
        # no map, head or teacher beside the plain network
        assert network.state_dict().keys() == bench.fresh(0).state_dict().keys()
    X, y = waves(150, seed=1)
    probabilities = predictor.predict_proba(X)
    assert probabilities.shape == (150, 3)
    assert probabilities.dtype == np.float64
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(predictor.predict_proba(X[:7]), probabilities[:7], rtol=0, atol=1e-5)
    assert (probabilities.argmax(1) == y).mean() >= 0.95
    assert record_trainings(method, backbone, bench.recipe).cost > 0


def write_problem(folder: Path, permute_test_labels: bool) -> Path:
    """Write the easy problem as an archive has it, with the test labels right or permuted; return the folder of datasets."""
    (folder / "Waves").mkdir(parents=True)
    header = "@problemName Waves\n@univariate true\n@equalLength true\n@classLabel true 0 1 2\n@data\n"
    for part, (X, y) in {"TRAIN": waves(21), "TEST": waves(30, seed=1)}.items():
        labels = np.random.default_rng(0).permutation(y) if permute_test_labels and part == "TEST" else y
        lines = [",".join(map(repr, series[0].tolist())) + f":{label}\n" for series, label in zip(X, labels, strict=True)]
        (folder / "Waves" / f"Waves_{part}.ts").write_text(header + "".join(lines))
    return folder


def check_test_labels_do_not_matter(name: str, folder: Path) -> None:
    """Permuted labels in the archive's test file leave every trained weight and curve bit-identical.

    So does fitting the same cell again, since nothing is shared between the two fits.
    """
    found, answers = [], []
    for permute in (False, True):
        dataset = load("Waves", [write_problem(folder / str(permute), permute)], download=False)
        training_set, sealed_test = split(dataset, 0, Preparation())
        bench = workbench(training_set, QUICK)
        predictor = methods.get(name)().fit(training_set, bench)
        teacher = [] if predictor.teacher is None else [predictor.teacher]
        curves = [(entry.label, entry.key, entry.curve) for entry in bench.ledger.entries]
        found.append((fingerprint(*predictor.networks, *teacher), curves))
        answers.append(sealed_test.unseal(True)[1].tolist())
    assert found[0] == found[1]
    assert answers[0] != answers[1]


def check_seeds_matter(name: str) -> None:
    """Another seed gives other weights."""
    prints = set()
    for seed in (0, 1):
        bench = workbench(recipe=QUICK, seed=seed)
        prints.add(fingerprint(*methods.get(name)().fit(bench.training_set, bench).networks))
    assert len(prints) == 2


def check_neighbours_do_not_matter(name: str) -> None:
    """Finding shared networks that other methods left gives the same bits as finding none."""
    alone = workbench(recipe=QUICK)
    mine = methods.get(name)().fit(alone.training_set, alone)
    store = MemoryNetworks()
    for neighbour in ("ens-avg", "swa", "single-dropout"):
        other = workbench(recipe=QUICK, networks=store)
        methods.get(neighbour)().fit(other.training_set, other)
    later = workbench(recipe=QUICK, networks=store)
    assert fingerprint(*mine.networks) == fingerprint(*methods.get(name)().fit(later.training_set, later).networks)


@cache
def narrowest(backbone: str) -> Backbone:
    """A registered backbone, as narrow as it gets."""
    kind = backbones.get(backbone)
    return kind(width=2) if any(field.name == "width" for field in dataclasses.fields(kind)) else kind()


def check_runs_on(name: str, backbone: str) -> None:
    """An epoch of two-channel series on a backbone."""
    X, y = waves(9, n_timepoints=16)
    training_set = TrainingSet(np.concatenate([X, -X], axis=1), y, 3, "Waves")
    recipe = Recipe(epochs=1, student_epochs=1, batch_size=8).for_backbone(backbone)
    bench = Workbench(TrainingContext(training_set, narrowest(backbone), {"name": backbone}, recipe, 0))
    probabilities = methods.get(name)().fit(training_set, bench).predict_proba(training_set.X)
    assert probabilities.shape == (9, 3)
    assert np.isfinite(probabilities).all()
