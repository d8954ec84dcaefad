"""Methods whose one training has no teacher but labels and the network itself: ls, tfkd-reg, dsr, drg."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from ssd_cli.methods.label_smoothing import VirtualTeacher
from ssd_cli.methods.light_skd import RankedOutputs, ReverseGuidance, head_of
from ssd_cli.training.objective import Batch
from tests.small import EXACT, build, fingerprint, waves_training_set, weights, workbench


def fitted(label, **options):
    bench = workbench(**options)
    return build(label).fit(bench.training_set, bench)


def deployed(label, **options):
    return fingerprint(*fitted(label, **options).networks)


def batch_of(bench, n=9):
    x, y = bench.tensors(bench.training_set)
    return Batch(x[:n], y[:n], torch.arange(n))


@pytest.mark.parametrize("label", ["ls[smoothing=0.0]", "tfkd-reg[weight=0.0]"])
def test_without_weight_it_is_single(label):
    assert deployed(label) == deployed("single")
    assert deployed(label.partition("[")[0]) != deployed("single")


@pytest.mark.parametrize(("spread", "on_others", "on_label"), [("others", 0.1, 0.8), ("all", 0.2 / 3, 1 - 0.4 / 3)])
def test_smoothed_labels_are_what_the_definition_says(spread, on_others, on_label, monkeypatch):
    bench, used = workbench(recipe=EXACT), []
    monkeypatch.setattr(bench, "train", lambda network, objective, **options: used.append(objective))
    build(f"ls[smoothing=0.2,spread={spread}]").fit(bench.training_set, bench)
    network, batch = bench.fresh(0), batch_of(bench)
    targets = torch.full((9, 3), on_others, dtype=torch.float64).scatter(1, batch.y[:, None], on_label)
    assert torch.allclose(targets.sum(1), torch.ones(9, dtype=torch.float64))
    expected = -(targets * functional.log_softmax(network(batch.x).logits, -1)).sum(1).mean()
    assert used[0].losses(network, batch)["ce"].item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_virtual_teacher_is_right_and_softer_the_hotter():
    y = torch.tensor([0, 2, 1])
    for temperature in (1e-4, 1.0, 40.0):
        found = VirtualTeacher(build(f"tfkd-reg[temperature={temperature}]")).targets(y, 3, torch.float64)
        by_hand = (torch.full((3, 3), 0.005, dtype=torch.float64).scatter(1, y[:, None], 0.99) / temperature).softmax(-1)
        assert torch.allclose(found, by_hand, rtol=1e-12, atol=0)
        assert torch.allclose(found.sum(1), torch.ones(3, dtype=torch.float64))
        assert found.argmax(1).tolist() == y.tolist()
    assert found.max() < 0.34  # at 40 all but uniform


def test_the_loss_of_the_virtual_teacher():
    bench = workbench(recipe=EXACT)
    network, batch = bench.fresh(0), batch_of(bench)
    objective = VirtualTeacher(build("tfkd-reg[weight=0.25,multiplier=3.0,temperature=1.0]"))
    targets = objective.targets(batch.y, 3, torch.float64)
    log_p = functional.log_softmax(network(batch.x).logits, -1)
    divergence = (targets * (targets.log() - log_p)).sum(1).mean()
    losses = objective.losses(network, batch)
    assert losses["virtual"].item() == pytest.approx(0.25 * 3 * divergence.item(), rel=1e-12)
    assert losses["ce"].item() == pytest.approx(0.75 * functional.nll_loss(log_p, batch.y).item(), rel=1e-12)


def ranked_outputs(label="dsr"):
    method = build(label)
    return RankedOutputs(method.weight, method.temperature, method.target)


def shapes(objective, *batches):
    objective.begin_epoch(1, None)
    return [objective.shape(torch.tensor(batch, dtype=torch.float64, requires_grad=True)).item() for batch in batches]


def test_ranked_outputs_are_compared_whichever_class_comes_first():
    assert shapes(ranked_outputs(), [[3.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]]) == [0, pytest.approx(0, abs=1e-15)]
    ranked = ranked_outputs()
    first, second = shapes(ranked, [[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]], [[1.0, 2.0, 9.0], [4.0, 4.0, 0.0]])
    assert first == 0 < second
    relabelled = shapes(ranked, [[1.0, 2.0, 3.0], [1.0, 0.0, 5.0]], [[2.0, 9.0, 1.0], [4.0, 0.0, 4.0]])
    assert relabelled[1] == pytest.approx(second, rel=1e-12)


def test_the_divergence_of_ranked_outputs_by_hand():
    before, now = np.array([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]]), np.array([[0.0, 0.0, 4.0]])

    def softened(z):
        e = np.exp(z / 4)
        return e / e.sum(-1, keepdims=True)

    for label, target in (("dsr", softened(before)[:1]), ("dsr[target=mean]", softened(before).mean(0, keepdims=True))):
        expected = 16 * (target * np.log(target / softened(now))).sum()
        assert shapes(ranked_outputs(label), before, now)[1] == pytest.approx(expected, rel=1e-12)  # and a smaller last batch


def test_an_epoch_knows_nothing_of_the_one_before_and_the_past_gets_no_gradient():
    ranked = ranked_outputs()
    ranked.begin_epoch(1, None)
    first, second = (torch.tensor([[z, 0.0, 1.0]], dtype=torch.float64, requires_grad=True) for z in (5.0, 2.0))
    ranked.shape(first)
    ranked.shape(second).backward()
    assert first.grad is None and second.grad.abs().sum() > 0
    ranked.begin_epoch(2, None)
    assert ranked.shape(first).item() == 0


def test_where_one_batch_holds_all_cases_ranked_outputs_change_nothing():
    few = waves_training_set(6)  # a batch has eight
    alone, compared = fitted("dsr", training_set=few), fitted("dsr")
    assert fingerprint(*alone.networks) == deployed("single", training_set=few)
    assert fingerprint(*compared.networks) != deployed("single")
    assert (alone.diagnostics["compared_batches"], compared.diagnostics["compared_batches"]) == (0, 2)


def test_the_head_is_not_moved_by_its_pupil_and_moves_the_first_half_alone():
    bench = workbench(recipe=EXACT)
    network = bench.fresh(0)
    objective = ReverseGuidance(build("drg"), head_of(network, bench))
    network.train()
    losses = objective.losses(network, batch_of(bench))
    assert set(losses) == {"ce", "head", "guidance"} and losses["guidance"] > 0
    losses["guidance"].backward(retain_graph=True)
    assert all(weight.grad is None for weight in objective.head.parameters())
    assert network.classifier.weight.grad.abs().sum() > 0
    network.zero_grad(set_to_none=True)
    losses["head"].backward()
    assert all(weight.grad is not None for weight in objective.head.parameters())
    assert network.first[0].weight.grad.abs().sum() > 0
    assert network.second[0].weight.grad is None and network.classifier.weight.grad is None


def test_guidance_is_the_softened_divergence_from_the_head():
    bench = workbench(recipe=EXACT)
    network, batch = bench.fresh(0).eval(), batch_of(bench)
    objective = ReverseGuidance(build("drg[weight=0.3,temperature=2.0,head_weight=0.5]"), head_of(network, bench).eval())
    losses = objective.losses(network, batch)
    logits, _, (maps, _) = network(batch.x)
    guiding = objective.head(maps, torch.ones_like(batch.x))
    taught, teaching = functional.log_softmax(logits / 2, -1), functional.log_softmax(guiding / 2, -1)
    divergence = (teaching.exp() * (teaching - taught)).sum(1).mean()
    assert losses["guidance"].item() == pytest.approx(0.3 * 4 * divergence.item(), rel=1e-12)
    assert losses["head"].item() == pytest.approx(0.5 * functional.cross_entropy(guiding, batch.y).item(), rel=1e-12)


def test_a_head_without_weight_leaves_single():
    bench = workbench()
    network = bench.fresh(0)
    nothing = SimpleNamespace(weight=0.0, head_weight=0.0, temperature=4.0, shape_weight=0.0)
    bench.train(network, ReverseGuidance(nothing, head_of(network, bench)), purpose="member")
    np.testing.assert_array_equal(weights(network), weights(fitted("single").networks[0]))
    assert deployed("drg") != deployed("single")


def test_reverse_guidance_and_ranked_outputs_together():
    bench = workbench(recipe=EXACT)
    network, (x, y, index) = bench.fresh(0), batch_of(bench, 8)
    together = ReverseGuidance(build("drg-dsr"), head_of(network, bench))
    together.begin_epoch(1, network)
    assert together.losses(network, Batch(x, y, index))["shape"].item() == 0
    assert together.losses(network, Batch(x.flip(0), y.flip(0), index.flip(0)))["shape"].item() > 1e-6  # other rows than before
    assert fitted("drg-dsr").diagnostics == {"compared_batches": 2}
    assert deployed("drg-dsr[shape_weight=0.0]") == deployed("drg") != deployed("drg-dsr")


def released_gate(head, maps):
    """The gate of xucong-parsifal/LightSKD (`Istr_2`) in one dimension, by the head's weights; interpolation by repetition."""
    found = maps
    for part, stride in zip(head.gate.parts, (2, 1), strict=True):
        depthwise, pointwise, norm, _ = part
        found = functional.conv1d(found, depthwise.weight, stride=stride, padding=1, groups=found.shape[1])
        found = functional.conv1d(found, pointwise.weight)
        found = functional.batch_norm(found, None, None, norm.weight, norm.bias, training=True, eps=1e-3).relu()
    norm = head.gate_norm
    found = functional.batch_norm(found, None, None, norm.weight, norm.bias, training=True, eps=1e-3).relu()
    return np.repeat(found.sigmoid().detach().numpy(), 2, axis=-1)[..., : maps.shape[-1]]


@pytest.mark.parametrize("n_timepoints", [1, 12, 13])
def test_the_gate_of_the_head_is_the_released_one(n_timepoints):
    bench = workbench(recipe=EXACT)
    head = head_of(bench.fresh(0), bench)
    maps = torch.randn(6, 4, n_timepoints, dtype=torch.float64)
    gate = head.gate_of(maps, torch.ones(6, 1, (n_timepoints + 1) // 2)).detach().numpy()
    np.testing.assert_allclose(gate, released_gate(head, maps), rtol=1e-12)
    assert gate.min() >= 0.5 and gate.max() < 1
    assert (gate == 0.5).any() and (gate > 0.5).any()


def test_padded_steps_do_not_reach_the_head():
    bench = workbench(recipe=EXACT)
    head = head_of(bench.fresh(0), bench).eval()
    maps = torch.randn(2, 4, 13, dtype=torch.float64)
    longer = torch.cat([maps, 1e3 + torch.randn(2, 4, 9, dtype=torch.float64)], -1)
    valid = torch.ones(2, 1, 22, dtype=torch.float64)
    valid[..., 13:] = 0
    np.testing.assert_allclose(head(longer, valid).detach(), head(maps, valid[..., :13]).detach(), rtol=1e-12)
