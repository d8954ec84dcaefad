"""MPS has no float64; fake tensors show on any machine that nothing asks it for one."""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ssd_cli.engine.batching.stack import StackedAdam
from ssd_cli.estimators.aeon import MethodClassifier
from ssd_cli.training.predict import freeze, predict_proba
from tests.small import SmallBackbone, waves


class LikeMPS(TorchDispatchMode):
    """Refuses float64 on the device "mps", as torch does where there is one."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        for tensor in found if isinstance(found, tuple | list) else [found]:
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "mps" and tensor.dtype == torch.float64:
                raise TypeError(f"{function} made a float64 on MPS")
        return found


class ToTheProcessorFirst(TorchFunctionMode):
    """Treats all tensors as device tensors until `cpu` is called."""

    fetched = False

    def __torch_function__(self, function, types, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        self.fetched |= function is torch.Tensor.cpu
        if isinstance(found, torch.Tensor) and not self.fetched:
            assert found.dtype != torch.float64, f"{function} made a float64 on the device"
        return found


def test_probabilities_become_float64_on_the_processor():
    network = freeze(SmallBackbone().build(1, 3))
    with ToTheProcessorFirst() as watch:
        probabilities = predict_proba(network, waves(6)[0])
    assert watch.fetched and probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-15)


def test_joint_networks_are_trained_without_float64():
    with FakeTensorMode(), LikeMPS():
        optimiser = StackedAdam(torch.zeros(2, 5, device="mps"))
        optimiser.step(torch.ones(2, 5, device="mps"))
        assert optimiser.weights.dtype == torch.float32


def test_an_estimator_refuses_fp64_there(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    X, y = waves(6)
    classifier = MethodClassifier(method="single", backbone="lite[width=2]", recipe="smoke[precision=fp64]", device="mps")
    with pytest.raises(ValueError, match="'mps' has no precision 'fp64'"):
        classifier.fit(X, y)
