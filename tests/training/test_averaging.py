import copy

import numpy as np
import pytest
import torch
from torch import nn

from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.averaging import ExponentialMean, RunningMean, mean_of, refresh_batch_norm
from ssd_cli.training.objective import CrossEntropy
from tests.small import EXACT, workbench


def states(n):
    return [workbench(recipe=EXACT).fresh(index).state_dict() for index in range(n)]


def test_the_running_mean_of_identical_weights_is_bit_identical():
    state = states(1)[0]
    mean = mean_of([state] * 5)
    assert all(torch.equal(mean[name], value) for name, value in state.items())


def test_the_running_mean_is_the_mean_in_any_order_and_leaves_its_ingredients_alone():
    ingredients = states(4)
    before = copy.deepcopy(ingredients)
    forwards, backwards = mean_of(ingredients), mean_of(ingredients[::-1])
    for name, value in forwards.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.stack([state[name] for state in ingredients]).mean(0), rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(value, backwards[name], rtol=1e-12, atol=1e-12)
    assert all(torch.equal(one[name], two[name]) for one, two in zip(ingredients, before, strict=True) for name in one)


def test_integer_buffers_are_copied_not_averaged():
    first, second = states(2)
    name = next(name for name, value in first.items() if not value.is_floating_point())
    first[name].fill_(3)
    second[name].fill_(6)
    mean = mean_of([first, second])[name]
    assert mean.dtype == torch.int64
    assert mean.item() == 6


def follow(average_of):
    """Train for 4 epochs beside an average; the live network, its first state, the average."""
    bench = workbench(recipe=EXACT)
    network = bench.fresh(0)
    start = copy.deepcopy(network.state_dict())
    average = average_of(network)
    bench.train(network, CrossEntropy(), averager=average)
    return network.state_dict(), start, average


def test_the_running_mean_takes_one_state_an_epoch():
    _, _, average = follow(lambda network: RunningMean())
    assert average.n_averaged == 4


def test_an_exponential_mean_without_memory_is_the_live_network():
    live, _, average = follow(lambda network: ExponentialMean(0.0, network.state_dict()))
    assert all(torch.equal(average.state[name], value) for name, value in live.items())


def test_an_exponential_mean_that_never_forgets_is_the_first_network():
    _, start, average = follow(lambda network: ExponentialMean(1.0, network.state_dict(), warm_up=False))
    assert all(torch.equal(average.state[name], value) for name, value in start.items() if value.is_floating_point())


def test_the_exponential_mean_warms_up_so_that_short_trainings_leave_the_start():
    weight = nn.Linear(1, 1, bias=False)
    average = ExponentialMean(0.999, {"weight": torch.zeros(1, 1)})
    expected = 0.0
    for step in range(20):
        nn.init.constant_(weight.weight, float(step))
        average.after_step(weight)
        decay = min(0.999, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert average.state["weight"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("average_of", [lambda network: ExponentialMean(0.9, network.state_dict()), lambda network: RunningMean()])
def test_averaging_leaves_the_trajectory_alone(average_of):
    live, _, _ = follow(average_of)
    bench = workbench(recipe=EXACT)
    plain = bench.train(bench.fresh(0), CrossEntropy()).state_dict()
    assert all(torch.equal(plain[name], value) for name, value in live.items())


def test_refreshed_statistics_are_the_size_weighted_mean_over_batches_with_dropout_off():
    bench = workbench(recipe=EXACT)
    network = bench.fresh(0)
    network.mid_site.rate = network.embed_site.rate = 0.5
    x, _ = bench.tensors(bench.training_set)
    batches = x.split([8, 8, 5])
    network.train()
    refresh_batch_norm(network, batches)

    first = network.first[0]
    means = torch.stack([first(batch).mean((0, 2)) for batch in batches])
    variances = torch.stack([first(batch).transpose(0, 1).flatten(1).var(1) for batch in batches])
    sizes = torch.tensor([8.0, 8.0, 5.0], dtype=torch.float64)[:, None] / 21
    torch.testing.assert_close(network.first[1].running_mean, (sizes * means).sum(0), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(network.first[1].running_var, (sizes * variances).sum(0), rtol=1e-9, atol=1e-12)

    # the second layer's input has no channel missing: with dropout on its mean would differ from run to run
    twin = copy.deepcopy(network)
    refresh_batch_norm(twin, batches)
    assert torch.equal(twin.second[1].running_mean, network.second[1].running_mean)
    assert not any(module.training for module in network.modules())
    assert network.first[1].momentum == 0.1


def test_batch_norms_of_images_are_refreshed_as_well():
    layer = torch.nn.BatchNorm2d(2)
    network = torch.nn.Sequential(layer)
    x = torch.randn(64, 2, 5, 5, generator=torch.Generator().manual_seed(0)) * 5 + 7
    refresh_batch_norm(network, [x])
    torch.testing.assert_close(layer.running_mean, x.mean((0, 2, 3)))


def test_statistics_of_a_large_training_set_do_not_depend_on_the_order_in_which_it_is_stored():
    """Resamples are sorted by class. These classes differ in their means, which batches of one class leave out of the variance."""
    y = np.repeat([0, 1, 2], 200)
    X = (np.random.default_rng(0).normal(size=(600, 1, 12)) + 5 * y[:, None, None]).astype(np.float32)
    bench = workbench(TrainingSet(X, y, 3, "Sorted"), EXACT)
    network, in_order = bench.fresh(0), bench.fresh(0)
    bench.refresh_batch_norm(network)
    refresh_batch_norm(in_order, torch.as_tensor(X).double().split(200))
    whole = network.first[0](torch.as_tensor(X).double()).transpose(0, 1).flatten(1).var(1)
    torch.testing.assert_close(network.first[1].running_var, whole, rtol=0.03, atol=0)
    assert (in_order.first[1].running_var < 0.7 * whole).all()


def test_a_network_without_batch_norm_is_unaffected_by_refreshing():
    network = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU())
    before = copy.deepcopy(network.state_dict())
    refresh_batch_norm(network, [torch.randn(4, 1, 10)])
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
