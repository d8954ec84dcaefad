"""Kinds of methods that the package does not have yet: each trains, resumes with the same bits, and books its costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.methods.kd import SoftLabels
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.networks import NetworkStore
from ssd_cli.training import checkpoint
from ssd_cli.training.adam import Adam
from ssd_cli.training.networks import MemoryNetworks
from ssd_cli.training.objective import CrossEntropy, Objective
from ssd_cli.training.predict import freeze
from tests.small import SHORT, fingerprint, waves, workbench


class Killed(Exception):
    """Ends a training in the middle."""


def from_a_teacher_of_another_backbone(bench):
    """The teacher is the base network of another backbone, which lacks the execution of the cell's own."""
    teacher = freeze(bench.base_network(backbone=LITEBackbone(width=2)))
    return bench.train(bench.fresh(1), SoftLabels([bench.bind(teacher)], temperature=4.0, ce_weight=0.1, kd_weight=0.9))


def on_parts(bench):
    """One network for half of the cases, then one for the first channel alone."""
    half = bench.training_set.subset(np.arange(0, bench.training_set.n_cases, 2))
    bench.train(bench.fresh(0), CrossEntropy(), cases=half, label="half of the cases")
    channel = replace(bench.training_set, X=bench.training_set.X[:, :1])
    return bench.train(bench.fresh(0, cases=channel), CrossEntropy(), cases=channel, label="one channel")


def with_synthetic_series(bench):
    """The training set and as many series that are noisy copies of it."""
    original, stream = bench.training_set, bench.rng("noise", device="cpu")
    noise = 0.1 * torch.randn(original.X.shape, generator=stream).numpy()
    X, y = np.concatenate([original.X, original.X + noise]), np.concatenate([original.y, original.y])
    return bench.train(bench.fresh(0), CrossEntropy(), cases=replace(original, X=X, y=y))


def against_a_generator(bench):
    """A generator of noise and the network are trained in turns."""
    return bench.train(bench.fresh(0), Adversarial(bench))


class Adversarial(Objective):
    """The network learns series with noise that a generator shapes; a second optimiser moves the generator the other way."""

    resumable = True

    def __init__(self, bench):
        super().__init__()
        self.noise = bench.rng("noise")
        self.streams = (self.noise,)
        with torch.random.fork_rng():
            torch.manual_seed(bench.sub_seed("generator"))
            self.trainable = nn.Conv1d(bench.training_set.n_channels, bench.training_set.n_channels, 3, padding=1)
        self.optimisers = (Adam(self.trainable.parameters(), lr=1e-2),)

    def generate(self, x):
        return x + 0.1 * self.trainable(torch.randn(x.shape, generator=self.noise))

    def losses(self, network, batch):
        with torch.no_grad():
            x = self.generate(batch.x)
        return {"ce": functional.cross_entropy(network(x).logits, batch.y)}

    def after_step(self, network, batch):
        (optimiser,) = self.optimisers
        optimiser.zero_grad()
        (-functional.cross_entropy(network(self.generate(batch.x)).logits, batch.y)).backward()
        optimiser.step()


METHODS = [from_a_teacher_of_another_backbone, on_parts, with_synthetic_series, against_a_generator]


def two_channels():
    X, y = waves(21)
    return TrainingSet(np.concatenate([X, X[:, :, ::-1]], 1), y, 3, "Waves")


def bench_of(**options):
    return workbench(two_channels(), SHORT, backbone=FCNBackbone(width=4), execution="bilinear", **options)


def trained(method, bench):
    network = method(bench)
    return fingerprint(network), [entry.curve for entry in bench.ledger.entries]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_killed_training_continues_with_the_same_bits(method, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    expected = trained(method, bench_of())

    def kill(progress):
        if progress.epoch == 2 and progress.resumed == 0:
            raise Killed

    found, resumed = None, []
    while found is None:
        bench = bench_of(networks=NetworkStore(tmp_path), checkpoints=CheckpointStore(tmp_path), name="a" * 64, on_epoch=kill)
        try:
            found = trained(method, bench)
        except Killed:
            resumed.append(len(list((tmp_path / ".checkpoints").iterdir())))
    assert found == expected
    assert min(resumed) >= 1  # each kill left a checkpoint
    assert bench.ledger.resumed.seconds > 0


def test_costs_of_a_teacher_of_another_backbone_are_shared_with_its_own_cells():
    store = MemoryNetworks()
    bench = bench_of(networks=store)
    from_a_teacher_of_another_backbone(bench)
    assert [(entry.label, entry.epochs, entry.reused) for entry in bench.ledger.entries] == [
        ("member 0", 4, False),
        ("student", 4, False),
    ]
    own = workbench(two_channels(), bench.recipe, backbone=LITEBackbone(width=2), execution="bilinear", networks=store)
    own.context.backbone_identity = {"name": "lite", "parameters": vars(LITEBackbone(width=2))}
    own.context.execution = bench.context.execution_of(own.fresh())
    own.base_network()
    assert own.ledger.entries[0].reused


def test_costs_of_parts_and_of_synthetic_series_count_their_cases():
    bench = bench_of()
    on_parts(bench)
    with_synthetic_series(bench)
    assert [(entry.n_cases, entry.steps) for entry in bench.ledger.entries] == [(11, 4 * 2), (21, 4 * 3), (42, 4 * 6)]


def test_a_second_optimiser_moves_its_own_weights_alone_and_is_never_captured():
    plain, graph = (workbench(two_channels(), SHORT, execution=execution) for execution in ("plain", "graph"))
    objective = Adversarial(plain)
    before = objective.trainable.weight.clone()
    network = plain.train(plain.fresh(0), objective)
    assert not torch.equal(objective.trainable.weight, before)
    assert fingerprint(network) == fingerprint(against_a_generator(graph))
    assert len(plain.ledger.entries[0].curve["loss"]) == 4
