"""The checks of `ssd_cli.testing` find what they check for."""

import re
from dataclasses import dataclass

import pytest
import torch

from ssd_cli.backbones.base import NO_DROPOUT
from ssd_cli.methods.base import Method, Predictor
from ssd_cli.methods.single import Single
from ssd_cli.testing import check_backbone, check_method
from ssd_cli.testing import methods as checks
from ssd_cli.testing.problem import SmallBackbone, SmallNetwork
from ssd_cli.training.objective import CrossEntropy


@dataclass(frozen=True)
class OwnRandomNumbers(Method):
    def fit(self, training_set, workbench):
        network = workbench.fresh(0)
        torch.nn.init.normal_(network.classifier.weight)
        return Predictor([network])


@dataclass(frozen=True)
class OneSeed(Method):
    def fit(self, training_set, workbench):
        torch.manual_seed(0)
        network = workbench.fresh(0)
        for parameter in network.parameters():
            torch.nn.init.ones_(parameter)
        return Predictor([network])


@dataclass(frozen=True)
class Counting(Method):
    """Deploy a network whose training depends on a counter that no checkpoint has."""

    class Loss(CrossEntropy):
        resumable = True
        steps = 0

        def losses(self, network, batch):
            self.steps += 1
            return {"ce": self.steps * super().losses(network, batch)["ce"]}

    def fit(self, training_set, workbench):
        return Predictor([workbench.train(workbench.fresh(0), self.Loss())])


@dataclass(frozen=True)
class Unlearned(Method):
    def fit(self, training_set, workbench):
        return Predictor([workbench.fresh(0).eval()])


@dataclass(frozen=True)
class Probing(Method):
    def fit(self, training_set, workbench):
        if training_set.n_classes < 3:
            raise ValueError("two classes only")
        return Predictor([workbench.base_network()])


@pytest.mark.parametrize(
    ("check", "method", "message"),
    [
        (checks.check_test_labels_do_not_matter, OwnRandomNumbers(), "a random stream is not the workbench's"),
        (checks.check_seeds_matter, OneSeed(), "Two seeds have the same weights"),
        (checks.check_resumes, Counting(), "A resumed training has other weights"),
        (checks.check_learns, Unlearned(), "expected at least 0.95"),
        (checks.check_recording, Probing(), "fit fails on the recording workbench: ValueError: two classes only"),
    ],
)
def test_a_method_that_breaks_the_contract_is_found(check, method, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        check(method)


def test_a_class_that_is_no_frozen_dataclass_is_found():
    class Thawed(Single):
        pass

    Thawed.__dataclass_params__ = dataclass(type("Plain", (), {})).__dataclass_params__
    with pytest.raises(AssertionError, match="Thawed is not frozen"):
        check_method(Thawed())


@dataclass(frozen=True)
class Changed(SmallBackbone):
    change: str = "none"

    def build(self, n_channels, n_classes, dropout=NO_DROPOUT):
        network = SmallNetwork(n_channels, n_classes, NO_DROPOUT if self.change == "rates" else dropout, self.width)
        if self.change == "batch":
            stem = network.stem
            network.stem = lambda x: stem(x - x.mean(0, keepdim=True))
        if self.change == "random":
            stem_ = network.stem
            network.stem = lambda x: stem_(x + torch.rand(()))
        return network

    def narrow(self):
        return SmallBackbone(100) if self.change == "narrow" else super().narrow()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("rates", "does not pass its dropout rates"),
        ("batch", "depends on the other cases of its batch"),
        ("random", "is not pool(body(stem(x)))"),
        ("narrow", "The narrow version has"),
    ],
)
def test_a_backbone_that_breaks_the_contract_is_found(change, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_backbone(Changed(change=change))


def test_what_keeps_the_contract_passes():
    check_backbone(Changed())
    check_method(Single())
