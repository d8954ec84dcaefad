import numpy as np
import pytest
import torch
from torch.nn import functional

from ssd_cli.methods.dropout import EmbeddingTarget, FeatKD, Finetune
from ssd_cli.methods.ensembles import EnsAvg
from ssd_cli.methods.kd import BAN, KD, EnsKD, SoftLabels
from ssd_cli.training.objective import Batch, CrossEntropy, softened_kl
from ssd_cli.training.predict import freeze
from tests.small import EXACT, fingerprint, weights, workbench


def logits(seed):
    return torch.randn(40, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_student_that_says_what_the_teacher_says_has_no_divergence():
    assert softened_kl((logits(0) / 4).softmax(-1), logits(0), 4).item() == pytest.approx(0, abs=1e-15)


def test_the_divergence_is_the_mean_over_cases():
    target = (logits(0) / 2).softmax(-1)
    expected = 4 * functional.kl_div((logits(1) / 2).log_softmax(-1), target, reduction="batchmean")
    torch.testing.assert_close(softened_kl(target, logits(1), 2), expected)


def test_the_weight_of_the_divergence_does_not_depend_on_the_temperature():
    norms = {}
    for temperature in (20, 40):
        z = logits(1).requires_grad_()
        (gradient,) = torch.autograd.grad(softened_kl((logits(0) / temperature).softmax(-1), z, temperature), z)
        norms[temperature] = gradient.norm().item()
    assert norms[20] == pytest.approx(norms[40], rel=0.05)


def test_targets_that_underflow_give_finite_gradients():
    target = torch.tensor([[0.0, 1.0]], requires_grad=True)
    z = torch.tensor([[1e5, -1e5]], requires_grad=True)
    loss = softened_kl(target, z, 2.0)
    loss.backward()
    assert all(torch.isfinite(value).all() for value in (loss, target.grad, z.grad))


def test_the_loss_weighs_labels_and_teacher():
    bench = workbench(recipe=EXACT)
    teacher, student = freeze(bench.base_network()), bench.fresh(1).eval()
    x, y = bench.tensors(bench.training_set)
    objective = KD(temperature=3, ce_weight=0.2, kd_weight=0.7).objective([teacher], bench)
    objective.prepare(x)
    index = torch.tensor([4, 2, 9])
    losses = objective.losses(student, Batch(x[index], y[index], index))
    z_student, z_teacher = student(x[index]).logits, teacher(x[index]).logits
    torch.testing.assert_close(losses["ce"], 0.2 * functional.cross_entropy(z_student, y[index]))
    expected = 9 * functional.kl_div((z_student / 3).log_softmax(-1), (z_teacher / 3).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(losses["kd"], 0.7 * expected)


def test_several_teachers_are_averaged_as_logits_or_as_softened_probabilities():
    bench = workbench(recipe=EXACT)
    teachers = [freeze(bench.base_network(index)) for index in range(3)]
    x, _ = bench.tensors(bench.training_set)
    z = torch.stack([teacher(x).logits for teacher in teachers]).detach()
    for target, expected in {"logits": (z.mean(0) / 4).softmax(-1), "probabilities": (z / 4).softmax(-1).mean(0)}.items():
        objective = SoftLabels(teachers, temperature=4, average=target)
        objective.prepare(x)
        torch.testing.assert_close(objective.targets, expected)


def test_several_copies_of_one_teacher_teach_as_one():
    bench = workbench(recipe=EXACT)
    teacher = freeze(bench.base_network(0))
    found = []
    for objective in (KD().objective([teacher], bench), EnsKD().objective([teacher] * 5, bench)):
        student = bench.fresh(1)
        bench.train(student, objective, purpose="member", index=1)
        found.append(weights(student))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_the_teachers_of_an_ensemble_are_its_members_and_the_student_is_none_of_them():
    keys = []
    for method in (EnsAvg(), EnsKD()):
        bench = workbench(recipe=EXACT)
        method.fit(bench.training_set, bench)
        keys.append([entry.key for entry in bench.ledger.entries])
    assert keys[1] == [*keys[0], ""]
    assert bench.ledger.entries[-1].label == "student"


def test_each_generation_learns_from_the_one_before_and_starts_by_itself():
    bench = workbench(recipe=EXACT)
    _, *born = BAN().train_generations(bench)
    for generation, teacher in enumerate([bench.base_network(0), *born[:-1]], start=1):
        student = bench.fresh(generation)
        bench.train(student, SoftLabels([freeze(teacher)]), purpose="member", index=generation)
        assert fingerprint(student) == fingerprint(born[generation - 1])
    predictor = BAN().fit(bench.training_set, bench)
    assert fingerprint(predictor.teacher) == fingerprint(born[1])
    assert len({fingerprint(bench.fresh(generation)) for generation in range(4)}) == 4


def test_a_generation_weighs_labels_and_teacher_equally_at_temperature_1():
    bench = workbench(recipe=EXACT)
    teacher, student = freeze(bench.base_network()), bench.fresh(1).eval()
    x, y = bench.tensors(bench.training_set)
    objective = SoftLabels([teacher])
    objective.prepare(x)
    losses = objective.losses(student, Batch(x, y, torch.arange(len(x))))
    z_student, z_teacher = student(x).logits, teacher(x).logits
    expected = functional.cross_entropy(z_student, y) + functional.kl_div(
        z_student.log_softmax(-1), z_teacher.softmax(-1), reduction="batchmean"
    )
    torch.testing.assert_close(losses["ce"] + losses["kd"], expected)


def test_generations_may_learn_from_the_teacher_alone():
    bench = workbench(recipe=EXACT)
    (found,) = BAN(generations=1, ce_weight=0).fit(bench.training_set, bench).networks
    teacher, student = freeze(bench.base_network()), bench.fresh(1)
    bench.train(student, SoftLabels([teacher], ce_weight=0), purpose="member", index=1)
    np.testing.assert_allclose(weights(found), weights(student), rtol=1e-9)
    entry = bench.ledger.entries[1]
    assert entry.curve["kd"] == entry.curve["loss"] and "ce" not in entry.curve
    assert fingerprint(found) != fingerprint(*BAN(generations=1).fit(bench.training_set, bench).networks)


def test_teacher_and_student_start_differently_and_the_teacher_is_member_0():
    bench = workbench()
    predictor = KD().fit(bench.training_set, bench)
    assert fingerprint(predictor.teacher) == fingerprint(bench.base_network(0))
    assert not torch.equal(bench.fresh(0).classifier.weight, bench.fresh(1).classifier.weight)
    assert len(predictor.networks) == 1


def test_without_the_teacher_s_share_the_student_is_member_1_bit_for_bit():
    bench = workbench()
    (student,) = KD(ce_weight=1, kd_weight=0).fit(bench.training_set, bench).networks
    assert fingerprint(student) == fingerprint(bench.base_network(1))


@pytest.mark.parametrize("method", [KD(), FeatKD(), Finetune()])
def test_the_teacher_is_untouched_and_frozen(method):
    bench = workbench()
    predictor = method.fit(bench.training_set, bench)
    rates = {} if isinstance(method, KD) else {"dropout": method.rates}
    assert fingerprint(predictor.teacher) == fingerprint(bench.base_network(0, **rates))
    assert not any(module.training for module in predictor.teacher.modules())
    assert fingerprint(predictor.networks[0]) != fingerprint(predictor.teacher)


def test_students_of_one_teacher_see_the_same_batches(monkeypatch):
    seen = [[]]

    def watch(kind):
        original = kind.losses

        def losses(self, network, batch):
            seen[-1].append(batch.index.tolist())
            return original(self, network, batch)

        monkeypatch.setattr(kind, "losses", losses)

    watch(CrossEntropy)
    watch(EmbeddingTarget)
    bench = workbench()
    bench.base_network(0, FeatKD().rates)
    for method in (FeatKD(), Finetune()):
        seen.append([])
        method.fit(bench.training_set, bench)
    assert seen[1] == seen[2]
    assert [len(batches) for batches in seen] == [12, 6, 6]
