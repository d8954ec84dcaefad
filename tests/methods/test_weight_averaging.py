import copy
import dataclasses

import numpy as np
import pytest
import torch

from ssd_cli import metrics as scores
from ssd_cli.methods import soups
from ssd_cli.methods.soups import SoupGreedy, SoupUniform, Validation
from ssd_cli.methods.weight_averaging import EMA, SWA
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training import run
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.predict import predict_proba
from ssd_cli.training.recipe import Recipe
from tests.small import EXACT, SmallBackbone, fingerprint, recorded, waves, waves_training_set, weights, workbench

TEN = Recipe(epochs=10, learning_rate=1e-2, schedule="cosine", keep="last", batch_size=8, bn_momentum=0.1, precision="fp64")


class EndsOfEpochs:
    """All weights at the ends of the epochs of whatever the workbench trains."""

    def __init__(self, monkeypatch):
        self.states = []
        original, outer = run.train, self

        class Both:
            def __init__(self, averager):
                self.averager = averager

            def after_step(self, network):
                if self.averager is not None:
                    self.averager.after_step(network)

            def after_epoch(self, network):
                outer.states.append(copy.deepcopy(network.state_dict()))
                if self.averager is not None:
                    self.averager.after_epoch(network)

        def train(specs, step, **options):
            (spec,) = map(copy.copy, specs)
            object.__setattr__(spec, "averager", Both(spec.averager))
            return original([spec], step, **options)

        monkeypatch.setattr(run, "train", train)


def test_swa_is_the_mean_of_the_last_epochs(monkeypatch):
    ends = EndsOfEpochs(monkeypatch)
    bench = workbench(recipe=TEN)
    predictor = SWA().fit(bench.training_set, bench)
    assert predictor.diagnostics == {"averaged_epochs": 3}  # the ends of epochs 8, 9 and 10
    for name, parameter in predictor.networks[0].named_parameters():
        expected = sum(state[name] for state in ends.states[7:]) / 3
        np.testing.assert_allclose(parameter.detach().numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("start", "first"), [(0.75, 15), (0.5, 10)])
def test_the_learning_rate_of_swa_decays_linearly_onto_its_constant_as_released(start, first):
    bench = workbench(recipe=dataclasses.replace(TEN, epochs=20))
    SWA(start=start, learning_rate=2e-3).fit(bench.training_set, bench)
    (entry,) = bench.ledger.entries
    expected = []
    for epoch in range(20):  # `schedule` of timgaripov/swa, train.py, by hand
        t = epoch / first
        factor = 1.0 if t <= 0.5 else 1.0 - (1.0 - 0.2) * (t - 0.5) / 0.4 if t <= 0.9 else 0.2
        expected.append(1e-2 * factor)
    np.testing.assert_allclose(entry.curve["learning_rate"], expected, rtol=1e-9)
    assert entry.curve["learning_rate"][first - 1 :] == [entry.curve["learning_rate"][-1]] * (21 - first)


def test_swa_sees_the_batches_of_member_0():
    bench = workbench(recipe=dataclasses.replace(TEN, schedule="constant"))
    SWA(learning_rate=1e-2).fit(bench.training_set, bench)
    bench.base_network(0)
    averaged, plain = bench.ledger.entries
    np.testing.assert_allclose(averaged.curve["loss"], plain.curve["loss"], rtol=1e-9)


def test_the_soups_start_from_member_0_on_its_way():
    bench = workbench(recipe=TEN)
    bench.base_network(0, stop=0.6, keep="last")
    SoupUniform().fit(bench.training_set, bench)
    assert [entry.label for entry in bench.ledger.entries] == ["member 0"] + [f"branch {i}" for i in range(5)]


@pytest.mark.parametrize("method", [SWA(), EMA(), SoupUniform()])
def test_averages_have_statistics_of_their_own(method):
    bench = workbench(recipe=TEN)
    (network,) = method.fit(bench.training_set, bench).networks
    assert fingerprint(bench.refresh_batch_norm(bench.copy(network))) == fingerprint(network)


@pytest.mark.parametrize(("start", "epochs"), [(0.75, 2), (0.75, 3), (0.75, 4), (0.9, 5), (0.99, 49), (0.01, 3)])
def test_swa_trains_the_epochs_of_one_training(start, epochs):
    bench = workbench(recipe=Recipe(epochs=epochs, batch_size=8))
    method = SWA(start=start)
    method.fit(bench.training_set, bench)
    assert [entry.epochs for entry in bench.ledger.entries] == [epochs]
    assert recorded(method, bench.recipe).cost == 1


@pytest.mark.parametrize("method", [SoupUniform(), SoupGreedy()])
@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
def test_a_branch_of_a_soup_and_its_trunk_have_the_epochs_of_one_training(method, epochs):
    bench = workbench(recipe=Recipe(epochs=epochs, batch_size=8))
    method.fit(bench.training_set, bench)
    booked = [entry.epochs for entry in bench.ledger.entries]
    trunk, branches = booked[:-5], booked[-5:]
    assert [sum(trunk) + branch for branch in branches] == [epochs] * 5
    assert booked == [training.epochs for training in recorded(method, bench.recipe).trainings]


def test_even_one_epoch_is_enough():
    bench = workbench(recipe=Recipe(epochs=1, batch_size=8))
    for method in (SWA(), EMA(), SoupUniform(), SoupGreedy()):
        assert method.fit(bench.training_set, bench).networks


def test_ema_follows_the_trajectory_of_member_0():
    bench = workbench(recipe=TEN)
    EMA().fit(bench.training_set, bench)
    bench.base_network(0)
    averaged, plain = bench.ledger.entries
    assert averaged.curve == plain.curve


def test_ema_with_live_statistics_has_the_buffers_of_the_trained_network():
    bench = workbench(recipe=TEN)
    (network,) = EMA(batch_norm="live").fit(bench.training_set, bench).networks
    live = bench.base_network(0)
    assert all(torch.equal(one, two) for one, two in zip(network.buffers(), live.buffers(), strict=True))
    assert not torch.equal(network.classifier.weight, live.classifier.weight)


def test_branches_are_trained_as_declared():
    bench = workbench(recipe=TEN)
    branches = soups.train_branches(bench)
    _, *entries = bench.ledger.entries
    assert [entry.epochs for entry in entries] == [4] * 5
    assert [entry.curve["learning_rate"][0] for entry in entries] == [1e-3, 3e-4, 1e-3, 1e-3, 3e-4]
    assert [network.embed_site.rate for network in branches] == [0, 0, 0.2, 0, 0]
    assert len({fingerprint(network) for network in branches}) == 5
    for index in (3, 4):
        again = bench.copy(bench.base_network(0, stop=0.6, keep="last"))
        rate = entries[index].curve["learning_rate"][0]
        bench.train(again, CrossEntropy(0.1), epochs=4, learning_rate=rate, purpose="branch", index=index)
        assert fingerprint(again) == fingerprint(branches[index])


def test_branches_are_judged_by_accuracy_and_likelihood():
    bench = workbench()
    network, part = bench.base_network(0, holdout=True), bench.validation_split()[1]
    probabilities = predict_proba(network, part.X)
    expected = scores.accuracy(part.y, probabilities), scores.nll(part.y, probabilities)
    assert soups.validate(network, part) == pytest.approx(expected, rel=1e-12)


@pytest.fixture
def identical(monkeypatch):
    """Branches that are all the same network."""

    def train_branches(bench, holdout=False):
        return [bench.base_network(0, holdout=holdout) for _ in range(5)]

    monkeypatch.setattr("ssd_cli.methods.soups.train_branches", train_branches)


def test_a_soup_of_identical_networks_has_the_weights_of_one(identical):
    bench = workbench()
    (soup,) = SoupUniform().fit(bench.training_set, bench).networks
    assert all(torch.equal(one, two) for one, two in zip(soup.parameters(), bench.base_network(0).parameters(), strict=True))


def test_a_greedy_soup_of_identical_networks_is_one_of_them(identical):
    bench = workbench()
    predictor = SoupGreedy().fit(bench.training_set, bench)
    assert predictor.diagnostics["branches"] == [0]
    assert fingerprint(predictor.networks[0]) == fingerprint(bench.base_network(0, holdout=True))


def test_the_greedy_soup_is_at_least_as_good_on_validation_as_every_ingredient():
    for seed in range(4):
        bench = workbench(waves_training_set(30, seed, resample=seed), recipe=TEN)
        predictor = SoupGreedy().fit(bench.training_set, bench)
        found = predictor.diagnostics
        part = bench.validation_split()[1]
        accuracy = (predict_proba(predictor.networks[0], part.X).argmax(1) == part.y).mean()
        assert accuracy == found["validation_accuracy"] >= max(found["branch_validation_accuracies"])
        assert all(entry.n_cases == 24 for entry in bench.ledger.entries)  # validation cases are never trained on


@pytest.mark.parametrize(
    ("singles", "candidates", "chosen"),
    [
        # (accuracy, nll) of the five branches; accuracies of the candidate soups in the order in which they are tried
        ([(0.5, 1), (0.9, 1), (0.7, 1), (0.6, 1), (0.8, 1)], [0.95, 0.95, 0.96, 0.90], [1, 4, 3]),
        ([(0.8, 2), (0.8, 1), (0.8, 3), (0.8, 0.5), (0.8, 4)], [0.8, 0.8, 0.81, 0.81], [3, 2]),
        ([(0.9, 1), (0.9, 1), (0.8, 1), (0.8, 1), (0.8, 1)], [0.9, 0.9, 0.9, 0.9], [0]),
    ],
)
def test_branches_join_in_the_order_of_validation_and_only_if_they_help(monkeypatch, singles, candidates, chosen):
    scores = iter([Validation(*single) for single in singles] + [Validation(accuracy, 1.0) for accuracy in candidates])
    monkeypatch.setattr("ssd_cli.methods.soups.validate", lambda network, part: next(scores))
    bench = workbench(recipe=EXACT)
    predictor = SoupGreedy().fit(bench.training_set, bench)
    assert predictor.diagnostics["branches"] == chosen
    twin = workbench(recipe=EXACT)
    branches = soups.train_branches(twin, holdout=True)
    expected = np.mean([weights(branches[index].classifier) for index in chosen], axis=0)
    np.testing.assert_allclose(weights(predictor.networks[0].classifier), expected, rtol=1e-12)


def test_the_greedy_soup_is_skipped_where_a_class_has_one_case():
    X, _ = waves(5)
    lonely = TrainingSet(X, np.array([0, 0, 1, 1, 2]), 3, "Lonely")
    assert "single training case" in SoupGreedy().skip(lonely, SmallBackbone())
    assert SoupGreedy().skip(waves_training_set(), SmallBackbone()) is None
    assert SoupUniform().skip(lonely, SmallBackbone()) is None
    bench = workbench(lonely)
    assert SoupUniform().fit(lonely, bench).networks
