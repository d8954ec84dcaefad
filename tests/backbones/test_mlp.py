"""The perceptron: its definition, and published dropout that acts in training and in stochastic representations."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.backbones.mlp import MLPBackbone
from ssd_cli.methods.representations import StochasticTeacher
from ssd_cli.methods.ssd import SSD
from ssd_cli.testing import methods as checks
from ssd_cli.testing import problem
from ssd_cli.training.objective import Batch
from ssd_cli.training.predict import freeze
from tests.small import EXACT, build, fingerprint, waves_training_set, weights, workbench


def network(n_channels=2, n_timepoints=5, width=6, dropout=None):
    torch.manual_seed(0)
    return MLPBackbone(width).build_for(n_timepoints, n_channels, 3, dropout or Dropout()).double()


@pytest.mark.parametrize(("n_channels", "n_timepoints", "n_classes"), [(1, 152, 2), (3, 206, 4)])
def test_trainable_parameters(n_channels, n_timepoints, n_classes):
    built = MLPBackbone().build_for(n_timepoints, n_channels, n_classes)
    expected = 501_500 + 500 * n_channels * n_timepoints + 501 * n_classes
    assert sum(weight.numel() for weight in built.parameters()) == expected
    trunks = [
        sum(weight.numel() for name, weight in one.build_for(300, 1, 2).named_parameters() if "classifier" not in name)
        for one in (MLPBackbone(), MLPBackbone().narrow())
    ]
    assert trunks[0] / trunks[1] == pytest.approx(10, rel=0.05)


def test_it_computes_the_published_network():
    mine, x = network().eval(), torch.randn(4, 2, 5, dtype=torch.float64)
    values = x.flatten(1).numpy()  # channels one after the other
    for layer in mine.layers:
        values = np.maximum(values @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(), 0)
    np.testing.assert_allclose(mine(x).embedding.detach(), values, rtol=1e-12)
    logits = values @ mine.classifier.weight.detach().numpy().T + mine.classifier.bias.detach().numpy()
    np.testing.assert_allclose(mine(x).logits.detach(), logits, rtol=1e-12)


@pytest.mark.parametrize(
    ("asked", "rates"),
    [(Dropout(), (0.1, 0.2, 0.2, 0.3)), (Dropout(0.2, 0.1), (0.1, 0.2, 0.2, 0.3)), (Dropout(0.5, 0.4), (0.1, 0.4, 0.2, 0.5))],
)
def test_the_larger_of_the_published_rate_and_that_of_the_method_acts_in_training(asked, rates):
    mine = network(1, 40, 40, asked)
    dropped = {}
    sites = {"series": mine.series_site, "first": mine.mid_site, "second": mine.second_site, "third": mine.embed_site}
    for name, site in sites.items():
        site.register_forward_hook(lambda site, inputs, output, name=name: dropped.update({name: (inputs[0], output)}))
    mine.train()(torch.randn(1000, 1, 40, dtype=torch.float64))
    for rate, (before, after) in zip(rates, (dropped[name] for name in sites), strict=True):
        there = before != 0
        assert (after[there] == 0).double().mean().item() == pytest.approx(rate, abs=0.02)
        kept = there & (after != 0)
        torch.testing.assert_close(after[kept], before[kept] / (1 - rate))
    assert mine.dropout == asked
    x = torch.randn(3, 1, 40, dtype=torch.float64)
    assert torch.equal(mine.eval()(x).logits, mine(x).logits)


@pytest.mark.parametrize("silent", [(), ("series_site", "mid_site"), ("mid_site", "second_site", "embed_site"), ("second_site",)])
def test_representations_have_the_law_of_a_teacher_whose_dropout_layers_are_on(silent):
    bench = workbench(recipe=EXACT, backbone=MLPBackbone(8))
    teacher = freeze(bench.fresh(0))
    for name in silent:
        getattr(teacher, name).published = 0.0
    rates = Dropout(embed=0.05)
    x, y = bench.tensors(bench.training_set)
    source = StochasticTeacher(teacher, 20_000, rates, bench.rng("teacher masks"))
    source.prepare(x)
    before = fingerprint(teacher)
    mine = source.represent(Batch(x[:2], y[:2], torch.arange(2)))
    assert fingerprint(teacher) == before and not any(module.training for module in teacher.modules())
    twin = copy.deepcopy(teacher)
    twin.embed_site.rate = rates.embed
    for site in twin.sites():
        site.train()
    torch.manual_seed(0)
    repeated = x[:2].repeat_interleave(20_000, 0)
    theirs = twin.embed_site(twin.pool(twin.body(twin.mid_site(twin.stem(repeated))))).view(2, 20_000, -1)
    often = (theirs > 0).double().mean(1) > 0.05  # a coordinate that is rarely above 0 has no stable moments
    assert often.sum() > 5
    error, spread = (mine.mean(1) - theirs.mean(1)).abs()[often], theirs.std(1)[often]
    assert (error < 6 * spread / math.sqrt(10_000)).all()
    torch.testing.assert_close(mine.std(1)[often], spread, rtol=0.15, atol=1e-6)
    silenced = StochasticTeacher(teacher, 3, Dropout(), bench.rng("teacher masks"))
    silenced.prepare(x)
    represented = silenced.represent(Batch(x[:2], y[:2], torch.arange(2)))
    torch.testing.assert_close(represented, teacher(x[:2]).embedding[:, None].expand(-1, 3, -1))


def test_networks_trained_together_have_the_weights_of_networks_trained_alone():
    found = []
    for execution in ("plain", "batched"):
        bench = workbench(recipe=EXACT, backbone=MLPBackbone(8), execution=execution)
        found.append([weights(one) for one in build("ens-avg[members=3]").fit(bench.training_set, bench).networks])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["single", "ssd", "soup-uniform"])
def test_an_interrupted_training_goes_on_with_the_same_bits(method, monkeypatch):
    monkeypatch.setattr(problem, "SmallBackbone", lambda: MLPBackbone(8))
    checks.check_resumes(build(method))


def test_shorter_series_enter_with_zeros():
    part = waves_training_set()
    zeros, padded = part.X.copy(), part.X.copy()
    zeros[3:9, :, 20:], padded[3:9, :, 20:] = 0, np.nan
    prints = []
    for X in (zeros, padded):
        bench = workbench(dataclasses.replace(part, X=X), recipe=EXACT, backbone=MLPBackbone(8))
        prints.append(weights(*SSD().fit(bench.training_set, bench).networks))
    np.testing.assert_allclose(prints[0], prints[1], atol=1e-8)
