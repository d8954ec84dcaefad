import math

import pytest
import torch

from ssd_cli.methods.attention import attention_weights, keep_quantile, keep_top, n_kept, relative_entropy, similarity


def random_scores(n, n_cases=50, seed=0):
    return torch.randn(n_cases, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def guided(phi, tau, q):
    phi = torch.as_tensor(phi, dtype=torch.float64)
    return attention_weights(phi, keep_quantile(phi, q), tau)


def test_weights_and_filter_have_the_hand_computed_values():
    phi = [[10.0, 5.0, 0.0, -5.0]]
    assert guided(phi, 5, 0)[0].tolist() == pytest.approx([0.6439, 0.2369, 0.0871, 0.0321], abs=5e-5)
    assert guided(phi, 5, 0.5)[0].tolist() == pytest.approx([0.7311, 0.2689, 0, 0], abs=5e-5)


def test_the_filter_is_the_released_one_without_ties_and_without_underflow():
    """Softmax, threshold at its linearly interpolated quantile, zero below, normalise again."""
    phi = random_scores(30)
    a = (phi / 5).softmax(1)
    a = torch.where(a >= a.quantile(0.9, dim=1, keepdim=True), a, 0)
    torch.testing.assert_close(guided(phi, 5, 0.9), a / a.sum(1, keepdim=True), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("n", "q", "k"), [(30, 0.9, 3), (20, 0.9, 2), (10, 0.9, 1), (50, 0.9, 5), (4, 0.7, 1), (1, 0.9, 1), (101, 0.07, 94)]
)
def test_kept_scores_have_the_hand_computed_numbers(n, q, k):
    assert n_kept(n, q) == k
    assert keep_quantile(random_scores(n), q).sum(1).tolist() == [k] * 50


@pytest.mark.parametrize("q", [0, 0.1, 0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 0.95, 1])
def test_as_many_survive_as_reach_the_interpolated_quantile(q):
    for n in range(1, 61):
        scores = random_scores(n, n_cases=5, seed=n)
        position = q * (n - 1)
        if abs(position - round(position)) > 1e-6:  # on a score itself torch's threshold rounds to either side
            assert torch.equal(keep_quantile(scores, q), scores >= scores.quantile(q, dim=1, keepdim=True))
        assert keep_quantile(scores, q).sum(1).unique().item() == n_kept(n, q)


def test_all_that_tie_at_the_threshold_survive_the_quantile():
    tied = torch.tensor([[1.0, 1.0, 1.0, 1.0], [3.0, 2.0, 2.0, 1.0], [3.0, 2.0, 1.0, 1.0]])
    expected = torch.tensor([[True] * 4, [True, True, True, False], [True, True, False, False]])
    assert torch.equal(keep_quantile(tied, 0.5), expected)
    assert torch.equal(keep_quantile(tied, 0.5), tied >= tied.quantile(0.5, dim=1, keepdim=True))


def test_scores_whose_softmax_underflows_are_still_ranked():
    phi = torch.arange(30.0)[None] * 1e4
    assert ((phi / 5).softmax(1) == 0).sum() == 29
    assert keep_quantile(phi, 0.9)[0].nonzero().flatten().tolist() == [27, 28, 29]


@pytest.mark.parametrize(("n", "q"), [(30, 0.9), (20, 0.5), (7, 0.7), (1, 0.9)])
def test_the_fixed_number_equals_the_quantile_without_ties(n, q):
    scores = random_scores(n)
    assert torch.equal(keep_top(scores, n_kept(n, q)), keep_quantile(scores, q))


def test_the_fixed_number_breaks_ties_by_index():
    assert keep_top(torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0]]), 2)[0].tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("q", [0, 0.5, 0.9])
@pytest.mark.parametrize("tau", [1e-3, 1.0, 5.0, math.inf, None])
def test_weights_are_a_distribution_over_the_kept_scores(q, tau):
    scores = random_scores(30).float()
    keep = keep_quantile(scores, q)
    a = attention_weights(scores, keep, tau)
    assert (a >= 0).all()
    assert (a[~keep] == 0).all()
    torch.testing.assert_close(a.sum(1), torch.ones(50), rtol=0, atol=1e-6)


@pytest.mark.parametrize("q", [0, 0.5, 0.9, 1])
@pytest.mark.parametrize("tau", [1e-3, 5.0, math.inf, None])
def test_a_single_representation_has_weight_one(q, tau):
    scores = random_scores(1).float()
    assert torch.equal(attention_weights(scores, keep_quantile(scores, q), tau), torch.ones(50, 1))


def test_flat_and_sharp_temperatures_are_the_mean_and_the_maximum():
    scores = random_scores(30)
    everything = keep_quantile(scores, 0)
    assert everything.all()
    torch.testing.assert_close(attention_weights(scores, everything, 1e9), torch.full_like(scores, 1 / 30), rtol=1e-6, atol=0)
    assert torch.equal(attention_weights(scores, everything, math.inf), torch.full_like(scores, 1 / 30))
    sharp = attention_weights(scores, everything, 1e-6)
    assert torch.equal(sharp.argmax(1), scores.argmax(1))
    torch.testing.assert_close(sharp.amax(1), torch.ones(50, dtype=torch.float64))


def test_similarity_scales():
    s, t = torch.randn(4, 9), torch.randn(4, 6, 9)
    raw = (s[:, None] * t).sum(-1)
    torch.testing.assert_close(similarity(s, t), raw)
    torch.testing.assert_close(similarity(s, t, "sqrtd"), raw / 3)
    torch.testing.assert_close(similarity(s, t, "cosine"), raw / (s.norm(dim=-1)[:, None] * t.norm(dim=-1)))


def test_relative_entropy_is_one_where_flat_and_zero_where_sharp():
    scores = random_scores(30)
    assert relative_entropy(scores, math.inf).item() == pytest.approx(1)
    assert relative_entropy(scores, 1e-6).item() == pytest.approx(0, abs=1e-9)
    two = torch.log(torch.tensor([[0.9, 0.1]], dtype=torch.float64))
    assert relative_entropy(two, 1.0).item() == pytest.approx(-(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2))
