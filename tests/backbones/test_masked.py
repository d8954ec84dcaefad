"""Pooling over valid steps, in the readable networks and in their fast executions."""

import copy

import numpy as np
import pytest
import torch

from ssd_cli.archives.dataset import Part, make_dataset
from ssd_cli.archives.prepare import Preparation
from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import Dropout
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.core.executions import Execution
from ssd_cli.engine.planner import bind
from ssd_cli.errors import SsdBenchError
from ssd_cli.protocol.split import split
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import predict_proba

from ..small import SHORT, SmallBackbone, fingerprint, workbench

NAMES = ["inception", "lite", "resnet", "fcn"]


def padded(n_cases: int = 5, n_timepoints: int = 40) -> tuple[torch.Tensor, list[int]]:
    torch.manual_seed(0)
    x, ends = torch.randn(n_cases, 2, n_timepoints), [n_timepoints, 7, 23, 12, 39][:n_cases]
    for case, end in enumerate(ends):
        x[case, :, end:] = torch.nan
    return x, ends


@pytest.mark.parametrize("name", NAMES)
def test_the_embedding_is_the_mean_over_the_valid_steps(name):
    torch.manual_seed(1)
    network = backbones.get(name)().build(2, 3).eval()
    x, ends = padded()
    with torch.no_grad():
        plain, masked = network(x.nan_to_num()), MaskedNetwork(network).eval()(x)
    for case, end in enumerate(ends):
        torch.testing.assert_close(masked.embedding[case], plain.maps[1][case, :, :end].mean(-1))
    torch.testing.assert_close(masked.logits, network.classifier(masked.embedding))
    whole = torch.randn(3, 2, 40)
    torch.testing.assert_close(MaskedNetwork(network)(whole).logits, network(whole).logits)


@pytest.mark.parametrize("name", NAMES)
def test_a_fast_execution_computes_the_same(name):
    torch.manual_seed(2)
    network = MaskedNetwork(backbones.get(name)().build(2, 3)).double()
    x = padded()[0].double()
    results = []
    for execution in ("plain", "fast", *(["bilinear"] if name != "lite" else [])):
        twin = copy.deepcopy(network).train()
        bound = bind(twin, Execution.of(execution).convolution)
        assert (execution == "plain") == (bound is twin)
        logits = bound(x).logits
        logits.square().sum().backward()
        results.append((logits.detach(), [parameter.grad for parameter in twin.parameters()]))
    for logits, gradients in results[1:]:
        torch.testing.assert_close(results[0][0], logits)
        for one, other in zip(results[0][1], gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_it_has_the_parameters_of_the_inner_network_and_a_copy_has_its_own():
    network = MaskedNetwork(SmallBackbone().build(1, 3, Dropout(0.2, 0.1)))
    assert len(network.state_dict()) == len(network.inner.state_dict()) and network.dropout == Dropout(0.2, 0.1)
    twin = copy.deepcopy(network).eval()
    assert not twin.training and network.training and fingerprint(twin) == fingerprint(network)
    with torch.no_grad():
        twin.classifier.weight.zero_()
    assert fingerprint(twin) != fingerprint(network)


def test_the_second_half_may_run_on_copies_of_the_batch():
    network = MaskedNetwork(SmallBackbone().build(2, 3)).eval()
    x, _ = padded()
    with torch.no_grad():
        maps = network.stem(x)
        repeated = network.pool(network.body(maps.repeat(3, 1, 1)))
        torch.testing.assert_close(repeated, network(x).embedding.repeat(3, 1))


def _unequal():
    generator = np.random.default_rng(0)
    lengths = (9, 20, 30)
    X = [np.sin(np.arange(n) / (2 + k))[None] + 0.1 * generator.normal(size=(1, n)) for n in lengths for k in (0, 3)] * 2
    part = Part(X, np.array(["a", "b"] * 6))
    return make_dataset("Toy", part, part)


def test_padded_series_are_trained_and_tested_with_masks_and_others_without():
    for length, kind in (("pad", True), ("zeros", False)):
        training_set, sealed = split(_unequal(), 0, Preparation(length=length))
        assert training_set.padded is kind
        bench = workbench(training_set, SHORT)
        network = bench.train(bench.fresh(), CrossEntropy())
        assert isinstance(network, MaskedNetwork) is kind
        probabilities = predict_proba(network, sealed.unseal(True)[0])
        assert np.isfinite(probabilities).all() and probabilities.std() > 0


@pytest.mark.parametrize("method", ["ssd", "ssd-mid", "kd", "feat-kd", "swa", "ens-avg", "soup-uniform", "ema"])
def test_methods_train_on_padded_series(method):
    from ssd_cli.methods import methods

    training_set, sealed = split(_unequal(), 0, Preparation())
    predictor = methods.get(method)().fit(training_set, workbench(training_set, SHORT))
    assert np.isfinite(predictor.predict_proba(sealed.unseal(True)[0])).all()


@pytest.mark.parametrize("name", ["pool", "forward"])
def test_a_network_that_pools_in_a_way_of_its_own_is_refused(name):
    network = SmallBackbone().build(1, 2)
    own = type("Own", (type(network),), {name: lambda self, x: x.amax(-1)})
    network.__class__ = own
    with pytest.raises(SsdBenchError, match=rf"Own overrides {name}"):
        MaskedNetwork(network)
