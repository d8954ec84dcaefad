import numpy as np
import pytest

from ssd_cli.methods.base import Predictor
from ssd_cli.methods.ensembles import EnsAvg, EnsVote
from tests.small import fingerprint, waves, workbench


def random_members(n_networks, n_cases=200, n_classes=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=(n_networks, n_cases))


@pytest.mark.parametrize("predictor", [Predictor([]), Predictor([], combination="vote")])
def test_joined_probabilities_sum_to_one_and_do_not_depend_on_the_order(predictor):
    members = random_members(5)
    joined = predictor.combine(members)
    np.testing.assert_allclose(joined.sum(1), 1, rtol=0, atol=1e-12)
    assert (joined >= 0).all()
    np.testing.assert_allclose(predictor.combine(members[::-1]), joined, rtol=1e-12)


def test_identical_members_give_the_output_of_one():
    member = random_members(1)
    np.testing.assert_allclose(Predictor([]).combine(np.repeat(member, 5, 0)), member[0], rtol=1e-14)


def test_the_mean_is_never_less_likely_than_its_members_on_average():
    members, y = random_members(5, seed=3), np.random.default_rng(1).integers(0, 4, 200)
    mean = Predictor([]).combine(members)
    each = -np.log(members[:, np.arange(200), y])
    assert (-np.log(mean[np.arange(200), y]) <= each.mean(0) + 1e-12).all()


def test_the_mean_is_of_probabilities_not_of_logits():
    members = np.array([[[0.98, 0.02]], [[0.3, 0.7]], [[0.3, 0.7]]])
    np.testing.assert_allclose(Predictor([]).combine(members), [[1.58 / 3, 1.42 / 3]])


def test_a_plurality_wins_and_ties_go_to_the_larger_mean_probability():
    members = np.array(
        [
            [[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.5, 0.5, 0.0]],
            [[0.4, 0.6, 0.0], [0.4, 0.6, 0.0], [0.5, 0.5, 0.0]],
            [[0.4, 0.6, 0.0], [0.1, 0.0, 0.9], [0.0, 0.1, 0.9]],
        ]
    )
    vote = Predictor([], combination="vote").combine(members)
    # two votes of three though its mean is smaller; one vote each, the largest mean; an even case votes for the lower index
    assert vote.argmax(1).tolist() == [1, 0, 0]
    np.testing.assert_allclose(vote[0], np.array([1 + 0.001 * 1.7 / 3, 2 + 0.001 * 1.3 / 3, 0]) / 3.001)


def test_members_differ_and_voting_uses_those_of_the_mean():
    bench = workbench()
    mean, vote = (method.fit(bench.training_set, bench) for method in (EnsAvg(3), EnsVote(3)))
    prints = [fingerprint(network) for network in mean.networks]
    assert len(set(prints)) == 3
    assert [fingerprint(network) for network in vote.networks] == prints
    X, _ = waves(30, seed=8)
    members = mean.member_probabilities(X)
    assert members.shape == (3, 30, 3)
    np.testing.assert_array_equal(mean.predict_proba(X), members.mean(0))
    assert len(bench.ledger.entries) == 3
