from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ssd_cli.backbones.base import Dropout
from ssd_cli.engine.batching.stack import Stack
from ssd_cli.errors import SsdBenchError
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.initialise import initialise
from ssd_cli.training.loop import refuse_diverged, train
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import outputs
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.seeds import generator
from ssd_cli.training.stacked import StackedStep
from ssd_cli.training.step import Step
from tests.small import BACKBONES, SmallBackbone, training_spec, waves

CONSTANT = Schedule(3, 3, 1e-2, "constant", "last", 4)


def problem(dtype=torch.float64, n_cases=11, n_channels=1):
    X, y = waves(n_cases, noise=0.5)
    return TrainingSet(X.repeat(n_channels, 1), y, 3, "Waves"), dtype


def impatient(self, *arguments, original=ReduceLROnPlateau.__init__, **options):
    original(self, *arguments, **{**options, "patience": 1})


def made(backbone, schedules, dropouts, data, smoothing=0.0):
    """Trainings of different initialisation, batch order and dropout streams."""
    cases, dtype = data
    specs = []
    for index, (schedule, dropout) in enumerate(zip(schedules, dropouts, strict=True)):
        network = backbone.build(cases.n_channels, 3, dropout)
        initialise(network, generator(index))
        network.to(dtype)
        for number, site in enumerate(network.sites()):
            site.generator = generator(100 * (index + 1) + number)
        specs.append(training_spec(network, schedule, cases, CrossEntropy(smoothing * index), index=index))
    return specs


def tensors(data):
    cases, dtype = data
    return torch.as_tensor(cases.X, dtype=dtype), torch.as_tensor(cases.y)


def train_together(specs, data):
    return train(
        specs, StackedStep(Stack([spec.network for spec in specs]), *tensors(data), [s.objective.smoothing for s in specs])
    )


def alone(spec, data):
    (curve,) = train([spec], Step(spec.network, spec.objective, *tensors(data)))
    return curve


def assert_equal(together, apart):
    """Weights and statistics to a relative 1e-9.

    But for the bias of a convolution before a batch norm: its gradient is zero, both trainings give it the noise of rounding over
    Adam's epsilon, and only the running mean sees it.
    """
    for one, other in zip(together, apart, strict=True):
        assert not one.network.training
        theirs, cancelled = other.network.state_dict(), idle(one.network)
        for name, value in one.network.state_dict().items():
            atol = 1e-5 if name in cancelled else 1e-12
            torch.testing.assert_close(value, theirs[name], rtol=1e-9, atol=atol, msg=lambda text, name=name: f"{name}: {text}")


def idle(network):
    """Names of convolutions' biases, and of all running means where there are such."""
    biases = {f"{n}.bias" for n, module in network.named_modules() if isinstance(module, nn.Conv1d) and module.bias is not None}
    return biases | {name for name in network.state_dict() if biases and name.endswith("running_mean")}


def compare(backbone, schedules, dropouts, smoothing=0.0, n_channels=1):
    data = problem(n_channels=n_channels)
    together = made(backbone, schedules, dropouts, data, smoothing)
    apart = made(backbone, schedules, dropouts, data, smoothing)
    curves = train_together(together, data)
    theirs = [alone(spec, data) for spec in apart]
    assert_equal(together, apart)
    for one, other in zip(curves, theirs, strict=True):
        assert list(one) == list(other)
        assert one["learning_rate"] == other["learning_rate"]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-9)
    return together, curves


@pytest.mark.parametrize("name", BACKBONES)
def test_networks_of_one_step_equal_networks_trained_alone(name):
    together, _ = compare(BACKBONES[name], [CONSTANT] * 3, [Dropout(0.2, 0.3)] * 3, n_channels=2 if name == "litemv" else 1)
    assert not torch.equal(together[0].network.classifier.weight, together[1].network.classifier.weight)


def test_networks_may_differ_in_rate_dropout_smoothing_and_what_they_keep():
    schedules = [replace(CONSTANT, learning_rate=rate, keep=keep) for rate, keep in ((1e-2, "best"), (0.3, "best"), (1e-3, "last"))]
    dropouts = [Dropout(0, 0.5), Dropout(), Dropout(0.5)]
    schedules = [replace(schedule, epochs=6, stop=6) for schedule in schedules]
    _, curves = compare(SmallBackbone(), schedules, dropouts, smoothing=0.1)
    assert len(set(map(tuple, (curve["loss"] for curve in curves)))) == 3


def test_a_network_keeps_its_own_best_epoch():
    schedules = [replace(CONSTANT, epochs=8, stop=8, keep="best", learning_rate=rate) for rate in (10.0, 0.1)]
    _, curves = compare(SmallBackbone(), schedules, [Dropout()] * 2)
    best = [curve["loss"].index(min(curve["loss"])) for curve in curves]
    assert best[0] != best[1]


@pytest.mark.parametrize("shape", ["plateau", "cosine"])
def test_every_network_has_its_own_learning_rate(monkeypatch, shape):
    if shape == "plateau":  # after two epochs rather than 49
        monkeypatch.setattr(ReduceLROnPlateau, "__init__", impatient)
    schedules = [replace(CONSTANT, epochs=16, stop=16, shape=shape, learning_rate=rate) for rate in (1.0, 1e-2)]
    _, curves = compare(SmallBackbone(), schedules, [Dropout()] * 2)
    ratios = [[rate / curve["learning_rate"][0] for rate in curve["learning_rate"]] for curve in curves]
    assert len(set(ratios[0])) > 1
    assert (ratios[0] == pytest.approx(ratios[1])) == (shape == "cosine")


def test_float32_networks_of_one_step_stay_close_to_networks_trained_alone():
    data = problem(torch.float32)
    schedules, dropouts = [replace(CONSTANT, epochs=2, stop=2)] * 2, [Dropout(0.2)] * 2
    together, apart = (made(BACKBONES["inception"], schedules, dropouts, data) for _ in range(2))
    train_together(together, data)
    x, _ = tensors(data)
    for one, other in zip(together, apart, strict=True):
        alone(other, data)
        torch.testing.assert_close(outputs(one.network, x)[0], outputs(other.network, x)[0], rtol=1e-3, atol=1e-3)


def test_the_other_networks_of_the_step_do_not_matter():
    data = problem()
    pair, trio = (made(SmallBackbone(), [CONSTANT] * n, [Dropout(0.2)] * n, data) for n in (2, 3))
    train_together(pair, data)
    train_together(trio, data)
    assert_equal(pair, trio[:2])


def test_what_cannot_be_trained_in_one_step_is_refused():
    data = problem()
    with pytest.raises(ValueError, match="same number of epochs"):
        train_together(made(SmallBackbone(), [CONSTANT, replace(CONSTANT, batch_size=5)], [Dropout()] * 2, data), data)
    mixed = [*made(SmallBackbone(), [CONSTANT], [Dropout()], data), *made(SmallBackbone(6), [CONSTANT], [Dropout()], data)]
    with pytest.raises(ValueError, match="architecture"):
        train_together(mixed, data)


def test_a_network_that_diverges_is_named_by_its_epoch():
    cases, dtype = problem()
    specs = made(SmallBackbone(), [CONSTANT, CONSTANT], [Dropout()] * 2, (cases, dtype))
    cases.X[3] = float("inf")
    for curve in train_together(specs, (cases, dtype)):
        assert len(curve["loss"]) == 1  # training stops when all have diverged
        with pytest.raises(SsdBenchError, match="epoch 1 of 3"):
            refuse_diverged(curve, CONSTANT)
