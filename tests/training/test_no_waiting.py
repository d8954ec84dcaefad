"""No step waits for the device: nothing in it turns a tensor into a Python number, or asks how many elements are not zero."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods import methods
from ssd_cli.training import predict
from ssd_cli.training.loop import train
from tests.small import workbench

WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "unique", "_unique2", "repeat_interleave"}


class Watch(TorchDispatchMode):
    """Raises at operations that wait for a result of the device."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.overloadpacket.__name__
        masked = name in ("index", "index_put_") and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in arguments[1]
        )
        if name in WAITS or masked:
            raise AssertionError(f"{name} waits for the device")
        return function(*arguments, **(options or {}))


class Watched:
    def __init__(self, step):
        self.step, self.device = step, step.device
        self.totals, self.weights, self.finish = step.totals, step.weights, step.finish

    def begin_epoch(self, epoch):
        with Watch():
            self.step.begin_epoch(epoch)

    def set_learning_rates(self, rates):
        with Watch():
            self.step.set_learning_rates(rates)

    def __call__(self, index):
        with Watch():
            self.step(index)


@pytest.fixture
def watched(monkeypatch):
    steps = []

    def watch(specs, step, **options):
        steps.append(Watched(step))
        return train(specs, steps[-1], **options)

    monkeypatch.setattr("ssd_cli.training.run.train", watch)
    return steps


@pytest.mark.parametrize("name", methods.names())
def test_no_step_of_a_method_waits(name, watched):
    bench = workbench()
    methods.get(name)().fit(bench.training_set, bench)
    assert watched


def test_no_joint_step_waits(watched):
    workbench(execution="graph").base_networks(range(2), Dropout(0.2, 0.3))
    assert len(watched) == 1


def test_no_prediction_waits_between_its_batches(monkeypatch):
    bench, batches = workbench(), []
    x, _ = bench.tensors(bench.training_set)
    network = bench.fresh().eval()
    monkeypatch.setattr(predict, "cases_at_once", lambda n_timepoints: 8)
    with Watch():
        logits, _ = predict.outputs(lambda part: batches.append(len(part)) or network(part), x)
    assert len(batches) > 1 and sum(batches) == len(logits) == len(x)


def test_the_watch_sees_what_waits():
    for wait in (lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: float(x[0]), lambda x: x.nonzero()):
        with pytest.raises(AssertionError, match="waits"), Watch():
            wait(torch.ones(3))
