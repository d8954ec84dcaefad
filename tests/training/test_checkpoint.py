"""Trainings that are interrupted at any step and resumed."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from ssd_cli.backbones.base import NO_DROPOUT
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.cli.console import describe
from ssd_cli.configuration import configure, parse_label
from ssd_cli.errors import SsdBenchError
from ssd_cli.methods import methods
from ssd_cli.methods.dropout import EmbeddingTarget
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.networks import NetworkStore
from ssd_cli.training import checkpoint
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import freeze
from ssd_cli.training.step import Step
from ssd_cli.training.stopwatch import Spent
from tests.small import SHORT, SmallBackbone, SmallNetwork, fingerprint, workbench

LABELS = [
    *sorted(methods.names()),
    "single-dropout[dropout_sites=embed+mid]",
    "finetune[dropout_sites=embed+mid]",
    "ssd[legacy_eval=true,space=both]",
    "ssd[distillation_weight=1.0]",  # the classifier has no gradient
    "ssd[distillation_weight=0.0,student=narrow,student_init=random]",  # nor the map between embeddings
]
BEST = replace(SHORT, keep="best", schedule="plateau", learning_rate=1.0)  # so high that the loss rises again


class Killed(Exception):
    """Stands for the death of the process; it is no failure of the cell."""


@pytest.fixture(autouse=True)
def after_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def bench_on(root, made_with="here", **options):
    stores = {"networks": NetworkStore(root), "checkpoints": CheckpointStore(root, made_with)}
    return workbench(**stores, name="c" * 64, **options)


def fitted(label, bench):
    name, parameters = parse_label(label)
    predictor = configure(methods.get(name), name, parameters).fit(bench.training_set, bench)
    return fingerprint(*predictor.networks), [(entry.label, entry.curve) for entry in bench.ledger.entries], predictor.diagnostics


def dying_every(n_steps, monkeypatch):
    """Raise Killed at every n-th step."""
    step, seen = Step.__call__, []

    def mortal(self, index):
        seen.append(0)
        if len(seen) % n_steps == 0:
            raise Killed
        step(self, index)

    monkeypatch.setattr(Step, "__call__", mortal)
    return seen


def resumed_until_done(label, root, **options):
    for n_deaths in range(200):
        try:
            return fitted(label, bench_on(root, **options)), n_deaths
        except Killed:
            continue
    raise AssertionError("it never comes to an end")


@pytest.mark.parametrize("recipe", [SHORT, BEST], ids=["last", "best"])
@pytest.mark.parametrize("label", LABELS)
def test_a_method_that_is_killed_repeatedly_ends_with_the_same_bits(tmp_path, monkeypatch, label, recipe):
    expected = fitted(label, bench_on(tmp_path / "whole", recipe=recipe))
    with monkeypatch.context() as patch:
        seen = dying_every(5, patch)  # an epoch has three
        found, n_deaths = resumed_until_done(label, tmp_path / "killed", recipe=recipe)
    assert n_deaths >= 2
    assert found == expected
    assert recipe.keep == "last" or label != "single" or np.argmin(expected[1][0][1]["loss"]) == 2  # not the last
    n_steps = sum(3 * len(curve["loss"]) for _, curve in expected[1])
    assert len(seen) <= n_steps + 3 * n_deaths  # at most the epoch in which it died is trained again


@pytest.mark.parametrize(("backbone", "execution"), [(LITEBackbone(width=2), "fast"), (ResNetBackbone(width=4), "bilinear")])
def test_other_executions_resume_too(tmp_path, monkeypatch, backbone, execution):
    options = {"backbone": backbone, "execution": execution}
    expected = fitted("ssd-mid[representations=2]", bench_on(tmp_path / "whole", **options))
    with monkeypatch.context() as patch:
        dying_every(5, patch)
        found, n_deaths = resumed_until_done("ssd-mid[representations=2]", tmp_path / "killed", **options)
    assert n_deaths >= 2
    assert found == expected


class Counting(CrossEntropy):
    """Has state that no checkpoint holds."""

    def losses(self, network, batch):
        self.n = getattr(self, "n", 0) + 1
        return super().losses(network, batch)


def cut_off(bench, objective, epochs=3):
    """Train to the end of an epoch, and raise Killed."""

    def die(progress):
        if progress.epoch == epochs:
            raise Killed

    bench.context.on_epoch = die
    with pytest.raises(Killed):
        bench.train(bench.fresh(0), objective)


def first_epoch(bench, objective):
    told = []
    bench.context.on_epoch = told.append
    bench.train(bench.fresh(0), objective)
    resumed = told[0].resumed
    assert told[0].epoch == max(1, resumed)  # where it goes on is told before an epoch is trained
    assert f"epoch {told[0].epoch}/4{' (cut off after 3)' if resumed else ''}, loss" in describe(told[0])
    return resumed + 1


def test_an_objective_that_does_not_declare_resumable_starts_again(tmp_path):
    cut_off(bench_on(tmp_path), Counting())
    assert first_epoch(bench_on(tmp_path), Counting()) == 1
    cut_off(bench_on(tmp_path), CrossEntropy())
    assert first_epoch(bench_on(tmp_path), CrossEntropy()) == 4


def test_another_processor_and_a_damaged_file_start_again(tmp_path):
    cut_off(bench_on(tmp_path), CrossEntropy())
    assert first_epoch(bench_on(tmp_path, made_with="elsewhere"), CrossEntropy()) == 1
    cut_off(bench_on(tmp_path), CrossEntropy())
    (path,) = (tmp_path / ".checkpoints").iterdir()
    content = path.read_bytes()
    for damaged in (content[:-1] + bytes([content[-1] ^ 1]), b"[]\n", b"", content[:50]):
        path.write_bytes(damaged)
        cut_off(bench_on(tmp_path), CrossEntropy(), epochs=1)


class Whimsical(SmallNetwork):
    """May have state beside its weights."""


class WhimsicalBackbone(SmallBackbone):
    def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
        return Whimsical(n_channels, n_classes, dropout, self.width)


def test_a_network_of_another_class_starts_again(tmp_path):
    cut_off(bench_on(tmp_path, backbone=WhimsicalBackbone()), CrossEntropy())
    assert first_epoch(bench_on(tmp_path, backbone=WhimsicalBackbone()), CrossEntropy()) == 1


def test_another_start_or_another_teacher_is_another_training(tmp_path):
    def with_teacher(bench, index):
        teacher = freeze(bench.fresh(index))
        return EmbeddingTarget(teacher, 0.5)

    cut_off(bench_on(tmp_path), with_teacher(bench_on(tmp_path), 1))
    assert first_epoch(bench_on(tmp_path), with_teacher(bench_on(tmp_path), 2)) == 1
    cut_off(bench_on(tmp_path), with_teacher(bench_on(tmp_path), 1))
    other = bench_on(tmp_path)
    fresh = other.fresh
    other.fresh = lambda index: fresh(index + 5)
    assert first_epoch(other, with_teacher(bench_on(tmp_path), 1)) == 1


def test_a_training_that_diverged_leaves_no_checkpoint(tmp_path):
    class Exploding(CrossEntropy):
        resumable = True

        def begin_epoch(self, epoch, modules):
            self.factor = float("nan") if epoch == 3 else 1.0

        def losses(self, network, batch):
            return {"ce": self.factor * super().losses(network, batch)["ce"]}

    bench = bench_on(tmp_path)
    with pytest.raises(SsdBenchError, match="became nan at epoch 3"):
        bench.train(bench.fresh(0), Exploding())
    assert not list((tmp_path / ".checkpoints").iterdir())


def test_the_time_of_earlier_processes_counts(tmp_path):
    cut_off(bench_on(tmp_path), CrossEntropy())
    (path,) = (tmp_path / ".checkpoints").iterdir()
    store = CheckpointStore(tmp_path, "here")
    arrays, facts = store.load(path.stem)
    store.save(path.stem, arrays, {**facts, "seconds": [1000.0, 2000.0, 1500.0]})
    bench = bench_on(tmp_path)
    bench.train(bench.fresh(0), CrossEntropy())
    (entry,) = bench.ledger.entries
    assert 1000 < entry.fit_seconds < 1100 and 2000 < entry.cpu_seconds < 2100 and 1500 < entry.wall_seconds < 1600
    assert len(entry.curve["loss"]) == 4
    costs = bench.ledger.summary(Spent(7.0, 7.0, 7.0), "cpu")  # seven seconds of this process, most of them not training
    assert 1000 < costs["fit_seconds_spent"] < 1007.01


def test_a_short_training_writes_nothing_and_what_is_finished_is_removed(tmp_path, monkeypatch):
    bench = bench_on(tmp_path)
    bench.base_network(0)
    assert not list((tmp_path / ".checkpoints").iterdir())  # the network is stored
    cut_off(bench_on(tmp_path), CrossEntropy())
    store = CheckpointStore(tmp_path)
    store.save("ab" * 32, {"a": np.zeros(1)}, {})
    store.discard_cell("d" * 64)
    store.clean([])
    assert len(list((tmp_path / ".checkpoints").iterdir())) == 2
    store.save("old", {"a": np.zeros(1)}, {})
    os.utime(tmp_path / ".checkpoints" / "old.checkpoint", (0, 0))
    store.clean([])
    assert len(list((tmp_path / ".checkpoints").iterdir())) == 2
    (tmp_path / "networks" / "ab").mkdir(exist_ok=True)
    (tmp_path / "networks" / "ab" / f"{'ab' * 32}.json").write_text(json.dumps({}))
    store.save(f"{'e' * 64}-2", {"a": np.zeros(1)}, {})
    store.clean({"e" * 64})
    assert [path.stem for path in (tmp_path / ".checkpoints").iterdir()] == [f"{'c' * 64}-1"]
    store.discard_cell("c" * 64)
    assert not list((tmp_path / ".checkpoints").iterdir())
    monkeypatch.setattr(checkpoint, "SECONDS", 60.0)
    other = bench_on(tmp_path / "other")
    other.train(other.fresh(0), CrossEntropy())
    assert not (tmp_path / "other" / ".checkpoints").exists()
