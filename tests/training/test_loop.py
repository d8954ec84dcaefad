import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssd_cli.errors import SsdBenchError
from ssd_cli.training.loop import refuse_diverged, train
from ssd_cli.training.objective import Batch, CrossEntropy, Objective
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.step import Step
from tests.small import SmallBackbone, fingerprint, training_spec, waves_training_set, workbench

PLAN = Schedule(epochs=4, stop=4, learning_rate=1e-2, shape="constant", keep="last", batch_size=8)


class Scripted(Objective):
    """A loss that takes given values, one an epoch, and depends on no weight's value."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def begin_epoch(self, epoch, modules):
        self.value = self.values[epoch - 1]

    def losses(self, network, batch):
        return {"scripted": (network.classifier.bias * 0).sum() + self.value}


class Watched(CrossEntropy):
    """Cross-entropy that remembers the cases it saw and the weights at the beginning of every epoch."""

    def __init__(self):
        super().__init__()
        self.seen, self.starts, self.modes = [], [], []

    def begin_epoch(self, epoch, modules):
        self.seen.append([])
        self.starts.append(fingerprint(modules))
        self.modes.append(modules.training)

    def losses(self, network, batch):
        self.seen[-1].append(batch.index.tolist())
        return super().losses(network, batch)


def network():
    return workbench().fresh(0)


def fit(net, objective, plan=PLAN, cases=None, averager=None):
    cases = cases or waves_training_set()
    x = torch.from_numpy(cases.X).to(net.classifier.weight.dtype)
    spec = training_spec(net, plan, cases, objective, averager=averager)
    (curve,) = train([spec], Step(net, objective, x, torch.from_numpy(cases.y)))
    refuse_diverged(curve, plan)
    return curve


def test_every_epoch_sees_every_case_once_in_another_order_and_the_last_batch_may_be_short():
    objective = Watched()
    fit(network(), objective)
    epochs = [[case for batch in batches for case in batch] for batches in objective.seen]
    assert all(sorted(epoch) == list(range(21)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert [len(batch) for batch in objective.seen[0]] == [8, 8, 5]


def test_the_batch_order_depends_on_its_generator_alone():
    first, second = Watched(), Watched()
    fit(network(), first)
    torch.manual_seed(1234)
    fit(SmallBackbone(width=7).build(1, 3), second)
    assert first.seen == second.seen


def test_a_learning_rate_multiplier_acts_after_every_step():
    """Adam moves a weight whose gradient is always 1 by the learning rate."""
    moved = []

    class Constant(Objective):
        def losses(self, network, batch):
            moved.append(-network.classifier.bias[0].item())
            return {"constant": network.classifier.bias.sum()}

    plan = replace(PLAN, epochs=2, stop=2, lr_multiplier=lambda epochs: 1 + epochs)
    net = network().double()
    curve = fit(net, Constant(), plan)
    moved.append(-net.classifier.bias[0].item())
    np.testing.assert_allclose(np.diff(moved), [1e-2 * (1 + step / 3) for step in range(6)], rtol=1e-5)
    np.testing.assert_allclose(curve["learning_rate"], [1e-2, 2e-2])


def test_plateau_halves_the_rate_on_the_50th_epoch_without_improvement():
    plan = replace(PLAN, epochs=260, stop=260, learning_rate=1e-3, shape="plateau")
    rates = fit(network(), Scripted([1.0] * 260), plan, waves_training_set(4))["learning_rate"]
    # Keras: epoch 1 improves on infinity, epochs 2 to 51 do not; the callback acts at the end of the 51st.
    assert rates[:51] == [1e-3] * 51
    assert rates[51:101] == [5e-4] * 50
    assert rates[101:151] == [2.5e-4] * 50
    assert rates[151:201] == [1.25e-4] * 50
    assert rates[201:] == [1e-4] * 59  # never below


def test_plateau_counts_only_falls_of_more_than_a_ten_thousandth():
    plan = replace(PLAN, epochs=80, stop=80, learning_rate=1e-3, shape="plateau")
    slow = [1 - 0.9e-6 * epoch for epoch in range(80)]
    assert fit(network(), Scripted(slow), plan, waves_training_set(4))["learning_rate"][51] == 5e-4
    small = [0.01 - 0.9e-6 * epoch for epoch in range(80)]  # by more than a ten-thousandth of itself, but that is not the measure
    assert fit(network(), Scripted(small), plan, waves_training_set(4))["learning_rate"][51] == 5e-4
    interrupted = [1.0] * 50 + [0.9998] + [1.0] * 29  # the 51st epoch improves by twice as much
    assert set(fit(network(), Scripted(interrupted), plan, waves_training_set(4))["learning_rate"]) == {1e-3}


def test_cosine_steps_once_an_epoch_from_the_full_rate_towards_zero():
    plan = replace(PLAN, epochs=10, stop=10, shape="cosine")
    rates = fit(network(), CrossEntropy(), plan)["learning_rate"]
    assert rates == pytest.approx([1e-2 / 2 * (1 + math.cos(math.pi * epoch / 10)) for epoch in range(10)])


def test_an_early_stop_does_not_change_the_schedule():
    plan = replace(PLAN, epochs=10, stop=10, shape="cosine")
    whole, stopped = fit(network(), CrossEntropy(), plan), fit(network(), CrossEntropy(), replace(plan, stop=4))
    assert stopped["learning_rate"] == whole["learning_rate"][:4]
    assert stopped["loss"] == whole["loss"][:4]


def test_best_keeps_the_weights_after_the_first_epoch_of_lowest_training_loss():
    class Moving(Scripted):
        """Every step moves the bias; the value is scripted."""

        def losses(self, network, batch):
            bias = network.classifier.bias
            return {"scripted": (bias - bias.detach()).sum() + self.value}

    ends = []

    class AtEnds:
        def after_step(self, network):
            pass

        def after_epoch(self, network):
            ends.append(fingerprint(network))

    net = network()
    plan = replace(PLAN, epochs=5, stop=5, keep="best")
    fit(net, Moving([3.0, 1.0, 2.0, 1.0, 4.0]), plan, averager=AtEnds())
    assert len(set(ends)) == 5
    assert fingerprint(net) == ends[1]  # the tie in epoch 4 is no strict improvement
    last = network()
    fit(last, Moving([3.0, 1.0, 2.0, 1.0, 4.0]), replace(plan, keep="last"))
    assert fingerprint(last) == ends[4]


def test_the_loss_of_an_epoch_is_the_mean_over_its_cases():
    class BatchSize(Scripted):
        def losses(self, network, batch):
            return {"a": (network.classifier.bias * 0).sum() + float(len(batch.y)), "b": torch.tensor(0.5)}

    curve = fit(network(), BatchSize([0] * 4))
    assert curve["loss"] == pytest.approx([(8 * 8 + 8 * 8 + 5 * 5) / 21 + 0.5] * 4)
    assert curve["b"] == pytest.approx([0.5] * 4)


def test_what_an_objective_observes_becomes_a_curve():
    class Observing(CrossEntropy):
        def losses(self, network, batch):
            self.observed["cases"] = torch.tensor(float(len(batch.y)))
            return super().losses(network, batch)

    assert fit(network(), Observing())["cases"] == pytest.approx([(8 * 8 + 8 * 8 + 5 * 5) / 21] * 4)


def test_every_epoch_starts_in_train_mode_and_training_ends_in_eval_mode():
    class Meddling(Watched):
        def losses(self, network, batch):
            losses = super().losses(network, batch)
            network.eval()
            return losses

    objective, net = Meddling(), network()
    fit(net, objective)
    assert objective.modes == [True] * 4
    assert not any(module.training for module in net.modules())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_the_epoch(value):
    with pytest.raises(SsdBenchError, match=r"at epoch 3 of 4"):
        fit(network(), Scripted([1.0, 1.0, value, 1.0]))


def test_training_series_with_nan_fail_in_the_first_epoch():
    cases = waves_training_set()
    cases.X[3, 0, 5] = np.nan
    with pytest.raises(SsdBenchError, match="became nan at epoch 1"):
        fit(network(), CrossEntropy(), cases=cases)


def test_frozen_parameters_stay_and_modules_beside_the_network_are_trained():
    class WithMap(CrossEntropy):
        def __init__(self):
            super().__init__()
            self.trainable = torch.nn.Linear(6, 6)

        def losses(self, network, batch):
            return {**super().losses(network, batch), "map": self.trainable(network(batch.x).embedding).square().mean()}

    net, objective = network(), WithMap()
    net.classifier.requires_grad_(False)
    head, before = net.classifier.weight.clone(), objective.trainable.weight.clone()
    fit(net, objective)
    assert torch.equal(net.classifier.weight, head)
    assert not torch.equal(objective.trainable.weight, before)


def test_label_smoothing_spreads_its_mass_over_all_classes():
    net = network().eval()
    part = waves_training_set()
    batch = Batch(torch.from_numpy(part.X), torch.from_numpy(part.y), torch.arange(21))
    logarithms = net(batch.x).logits.log_softmax(-1)
    target = torch.full((21, 3), 0.1 / 3)
    target[torch.arange(21), batch.y] += 0.9
    assert target[0].tolist() == pytest.approx([0.9333, 0.0333, 0.0333], abs=1e-4)
    torch.testing.assert_close(CrossEntropy(0.1).losses(net, batch)["ce"], -(target * logarithms).sum(-1).mean())
