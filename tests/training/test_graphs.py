from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.engine.batching.graphs import WARM_UP, Captured
from ssd_cli.methods.kd import KD
from ssd_cli.methods.ssd import SSD
from ssd_cli.training.averaging import ExponentialMean
from ssd_cli.training.loop import train
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.seeds import generator
from ssd_cli.training.step import DeviceStep, Step
from tests.small import BACKBONES, SmallBackbone, fingerprint, training_spec, waves_training_set, workbench

SCHEDULE = Schedule(6, 6, 1e-2, "cosine", "last", 4)
DROPOUT = Dropout(0.2, 0.3)


def captured(*data):
    return Captured(DeviceStep(*data))


def trained(kind=Step, schedule=SCHEDULE, averager=None, objective=None, backbone=None):
    torch.manual_seed(0)
    network = (backbone or SmallBackbone()).build(1, 3, DROPOUT)
    for number, site in enumerate(network.sites()):
        site.generator = generator(number)
    cases, objective = waves_training_set(11), objective or CrossEntropy()
    spec = training_spec(network, schedule, cases, objective, averager=averager and averager(network))
    (curve,) = train([spec], kind(network, objective, torch.as_tensor(cases.X), torch.as_tensor(cases.y)))
    return network, curve


class Graphs:
    """Captures as a device does: a replay runs from the memory that the step was captured with."""

    def __init__(self):
        self.captures, self.runs = [], Counter()

    def run(self, step, index):
        self.runs[index.shape[1]] += 1
        step(index)

    def capture(self, step, index):
        self.captures.append((index.shape[1], step.modes))
        return lambda: step(index)


@pytest.mark.parametrize("shape", ["plateau", "cosine", "constant"])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_captured_step_gives_the_bits_of_the_plain_loop(shape, keep):
    schedule = replace(SCHEDULE, shape=shape, keep=keep)
    one, curve = trained(schedule=schedule)
    other, same = trained(captured, schedule)
    assert fingerprint(one) == fingerprint(other)
    assert curve == same


def test_a_captured_step_follows_a_rate_that_changes_after_every_step():
    schedule = replace(SCHEDULE, lr_multiplier=lambda epochs: 1 - epochs / 6)
    one, curve = trained(schedule=schedule)
    other, same = trained(captured, schedule)
    assert fingerprint(one) == fingerprint(other) != fingerprint(trained()[0])
    assert curve == same
    np.testing.assert_allclose(curve["learning_rate"], [1e-2 * (1 - epoch / 6) for epoch in range(6)])


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_gives_the_bits_of_the_plain_loop(name):
    """The last batch, of 11 cases in batches of 4, is short."""
    one, curve = trained(backbone=BACKBONES[name])
    other, same = trained(captured, backbone=BACKBONES[name])
    assert fingerprint(one) == fingerprint(other)
    assert curve == same


def test_every_step_is_run_once_and_every_size_of_batch_captured_once():
    graphs = Graphs()
    plain, _ = trained()
    network, _ = trained(lambda *data: Captured(DeviceStep(*data), graphs))
    assert graphs.captures == [(4, (True,)), (3, (True,))]
    assert graphs.runs == {4: WARM_UP, 3: WARM_UP}
    assert fingerprint(network) == fingerprint(plain)


def test_another_mode_is_another_graph():
    class Legacy(CrossEntropy):
        def begin_epoch(self, epoch, modules):
            if epoch > 3:
                modules.eval()

    graphs = Graphs()
    plain, _ = trained(objective=Legacy())
    network, _ = trained(lambda *data: Captured(DeviceStep(*data), graphs), objective=Legacy())
    assert {mode for _, mode in graphs.captures} == {(True,), (False,)}
    assert fingerprint(network) == fingerprint(plain)


def test_averages_after_every_step_see_the_same_weights():
    means = []

    def averager(network):
        means.append(ExponentialMean(0.9, network.state_dict()))
        return means[-1]

    trained(averager=averager)
    trained(captured, averager=averager)
    assert all(torch.equal(value, means[1].state[name]) for name, value in means[0].state.items())


@pytest.mark.parametrize("method", [SSD(dropout_sites="embed+mid"), KD(), SSD(guidance="random", weighting="uniform")])
def test_whole_methods_give_the_same_bits(method):
    plain, fixed = workbench(), workbench(execution="graph")
    one = method.fit(plain.training_set, plain).networks
    other = method.fit(fixed.training_set, fixed).networks
    assert fingerprint(*one) == fingerprint(*other)
    curves = [[entry.curve for entry in bench.ledger.entries] for bench in (plain, fixed)]
    assert curves[0] == curves[1]


def test_a_step_names_every_random_stream_it_draws_from(monkeypatch):
    """A stream that a graph does not know would repeat its numbers in every replay."""
    steps = []

    def watch(specs, step, **options):
        steps.append(step)
        return train(specs, step, **options)

    monkeypatch.setattr("ssd_cli.training.run.train", watch)
    bench = workbench()
    SSD(dropout_sites="embed+mid", guidance="random", weighting="uniform").fit(bench.training_set, bench)
    step = steps[-1]
    for number, site in enumerate(step.network.sites()):
        site.generator = generator(number)
    before = [stream.get_state() for stream in step.generators]
    others = torch.get_rng_state()
    step.begin_epoch(1)
    step(torch.arange(4)[None])
    assert len(before) == 4
    assert not any(torch.equal(state, stream.get_state()) for state, stream in zip(before, step.generators, strict=True))
    assert torch.equal(others, torch.get_rng_state())
