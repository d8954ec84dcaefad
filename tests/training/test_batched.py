from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ssd_cli.backbones.base import Dropout
from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.h_inception import HInceptionBackbone
from ssd_cli.backbones.inception import InceptionBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.engine.batched import Member, train_together
from ssd_cli.errors import SsdBenchError
from ssd_cli.training.initialise import initialise
from ssd_cli.training.loop import Schedule, refuse_diverged, train
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import outputs
from ssd_cli.training.seeds import generator
from tests.small import SmallBackbone, waves

BACKBONES = {
    "inception": InceptionBackbone(width=3, kernel=8),
    "h-inception": HInceptionBackbone(width=3, kernel=8),
    "lite": LITEBackbone(width=4, kernel=8),
    "litemv": LITEBackbone(width=4, kernel=8, separable=True),
    "resnet": ResNetBackbone(width=4),
    "fcn": FCNBackbone(width=4),
    "plug-in": SmallBackbone(),
}
CONSTANT = Schedule(3, 3, 1e-2, "constant", "last", 4)


def problem(dtype=torch.float64, n_cases=11, n_channels=1):
    X, y = waves(n_cases, noise=0.5)
    return torch.as_tensor(X, dtype=dtype).repeat(1, n_channels, 1), torch.as_tensor(y)


def impatient(self, *arguments, original=ReduceLROnPlateau.__init__, **options):
    original(self, *arguments, **{**options, "patience": 1})


def made(backbone, schedules, dropouts, smoothing=0.0, dtype=torch.float64, n_channels=1):
    """Members of different initialisation, batch order and dropout streams."""
    members = []
    for index, (schedule, dropout) in enumerate(zip(schedules, dropouts, strict=True)):
        network = backbone.build(n_channels, 3, dropout)
        initialise(network, generator(index))
        network.to(dtype)
        for number, site in enumerate(network.sites()):
            site.generator = generator(100 * (index + 1) + number)
        members.append(Member(network, schedule, generator(50 + index), smoothing * index))
    return members


def alone(member, x, y):
    return train(member.network, x, y, CrossEntropy(member.smoothing), member.schedule, member.order)


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
    x, y = problem(n_channels=n_channels)
    together = made(backbone, schedules, dropouts, smoothing, n_channels=n_channels)
    apart = made(backbone, schedules, dropouts, smoothing, n_channels=n_channels)
    curves = train_together(together, x, y)
    theirs = [alone(member, x, y) for member in apart]
    assert_equal(together, apart)
    for one, other in zip(curves, theirs, strict=True):
        assert one.keys() == other.keys()
        assert one["learning_rate"] == other["learning_rate"]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-9)
    return together, curves


@pytest.mark.parametrize("name", BACKBONES)
def test_members_trained_together_equal_members_trained_alone(name):
    together, _ = compare(BACKBONES[name], [CONSTANT] * 3, [Dropout(0.2, 0.3)] * 3, n_channels=2 if name == "litemv" else 1)
    assert not torch.equal(together[0].network.classifier.weight, together[1].network.classifier.weight)


def test_members_may_differ_in_rate_dropout_smoothing_and_what_they_keep():
    schedules = [replace(CONSTANT, learning_rate=rate, keep=keep) for rate, keep in ((1e-2, "best"), (0.3, "best"), (1e-3, "last"))]
    dropouts = [Dropout(0, 0.5), Dropout(), Dropout(0.5)]
    schedules = [replace(schedule, epochs=6, stop=6) for schedule in schedules]
    _, curves = compare(SmallBackbone(), schedules, dropouts, smoothing=0.1)
    assert len(set(map(tuple, (curve["loss"] for curve in curves)))) == 3


def test_a_member_keeps_its_own_best_epoch():
    schedules = [replace(CONSTANT, epochs=8, stop=8, keep="best", learning_rate=rate) for rate in (1.0, 0.1)]
    _, curves = compare(SmallBackbone(), schedules, [Dropout()] * 2)
    best = [curve["loss"].index(min(curve["loss"])) for curve in curves]
    assert best[0] != best[1]


@pytest.mark.parametrize("shape", ["plateau", "cosine"])
def test_every_member_has_its_own_course_of_the_learning_rate(monkeypatch, shape):
    if shape == "plateau":  # after two epochs rather than 49
        monkeypatch.setattr(ReduceLROnPlateau, "__init__", impatient)
    schedules = [replace(CONSTANT, epochs=8, stop=8, shape=shape, learning_rate=rate) for rate in (0.5, 1e-2)]
    _, curves = compare(SmallBackbone(), schedules, [Dropout()] * 2)
    courses = [[rate / curve["learning_rate"][0] for rate in curve["learning_rate"]] for curve in curves]
    assert len(set(courses[0])) > 1
    assert (courses[0] == pytest.approx(courses[1])) == (shape == "cosine")


def test_a_float32_pass_stays_close():
    x, y = problem(torch.float32)
    schedules, dropouts = [replace(CONSTANT, epochs=2, stop=2)] * 2, [Dropout(0.2)] * 2
    together, apart = (made(BACKBONES["inception"], schedules, dropouts, dtype=torch.float32) for _ in range(2))
    train_together(together, x, y)
    for one, other in zip(together, apart, strict=True):
        alone(other, x, y)
        torch.testing.assert_close(outputs(one.network, x)[0], outputs(other.network, x)[0], rtol=1e-3, atol=1e-3)


def test_who_is_in_the_pass_does_not_matter():
    x, y = problem()
    pair, trio = (made(SmallBackbone(), [CONSTANT] * n, [Dropout(0.2)] * n) for n in (2, 3))
    train_together(pair, x, y)
    train_together(trio, x, y)
    assert_equal(pair, trio[:2])


def test_what_cannot_be_trained_together_is_refused():
    x, y = problem()
    with pytest.raises(ValueError, match="same number of epochs"):
        train_together(made(SmallBackbone(), [CONSTANT, replace(CONSTANT, batch_size=5)], [Dropout()] * 2), x, y)
    mixed = [*made(SmallBackbone(), [CONSTANT], [Dropout()]), *made(SmallBackbone(6), [CONSTANT], [Dropout()])]
    with pytest.raises(ValueError, match="architecture"):
        train_together(mixed, x, y)


def test_a_member_that_diverges_is_named_by_its_epoch():
    x, y = problem()
    members = made(SmallBackbone(), [CONSTANT, CONSTANT], [Dropout()] * 2)
    x[3] = float("inf")
    for curve in train_together(members, x, y):
        assert len(curve["loss"]) == 1  # where all diverge, nothing is gained by going on
        with pytest.raises(SsdBenchError, match="epoch 1 of 3"):
            refuse_diverged(curve, CONSTANT)
