import copy
import math

import pytest
import torch
from torch.nn import functional

from ssd_cli.methods.representations import StochasticTeacher
from ssd_cli.methods.ssd import SSD
from ssd_cli.methods.ssd_variants import SSDLegacy, SSDMid, SSDSmall
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.training.objective import Batch
from ssd_cli.training.predict import freeze, predict_proba
from tests.small import EXACT, fingerprint, waves, workbench


def guided(settings, *, recipe=EXACT, n_cases=21, student_index=1):
    """A teacher, another network as the student, the objective between them, and a batch."""
    bench = workbench(recipe=recipe)
    teacher = freeze(bench.base_network(dropout=settings.rates))
    student = bench.fresh(student_index, settings.rates)
    objective = StudentGuided(teacher, settings.parameters, bench, student.embedding_size)
    x, y = bench.tensors(bench.training_set)
    objective.prepare(x)
    index = torch.arange(len(x)).flip(0)[:n_cases]  # what is known of a case is looked up by its position in the training set
    return teacher, student.eval(), objective, Batch(x[index], y[index], index)


def weights_of(objective, embedding, representations, batch):
    return objective.parameters.guidance.weights(objective.scores(embedding, representations, batch.y))


def replay(settings, teacher):
    """The representations that an objective of the same cell will draw first."""
    bench = workbench(recipe=EXACT)
    source = StochasticTeacher(teacher, settings.representations, settings.rates, bench.rng("teacher masks"))
    x, _ = bench.tensors(bench.training_set)
    source.prepare(x)
    return source


@pytest.mark.parametrize(
    "changes", [{}, {"representations": 1}, {"quantile": 0.0, "temperature": 0.1}, {"keep": "topk", "top_k": 3}]
)
@pytest.mark.usefixtures("idle_parameters_pass")
def test_without_masks_the_loss_is_the_distance_from_the_deterministic_embedding(changes):
    settings = SSD(stochastic=False, **changes)
    teacher, student, objective, batch = guided(settings)
    losses = objective.losses(student, batch)
    expected = functional.mse_loss(student(batch.x).embedding, teacher(batch.x).embedding)
    torch.testing.assert_close(losses["feature"], 0.5 * expected, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(losses["ce"], 0.5 * functional.cross_entropy(student(batch.x).logits, batch.y))


def test_the_loss_is_the_published_one():
    settings = SSD(distillation_weight=0.3)
    teacher, student, objective, batch = guided(settings)
    t = replay(settings, teacher).represent(batch)
    s = student(batch.x).embedding
    phi = torch.einsum("bd,bnd->bn", s, t)
    a = (phi / 5).softmax(1)
    a = torch.where(a >= a.quantile(0.9, dim=1, keepdim=True), a, 0)
    target = torch.einsum("bn,bnd->bd", a / a.sum(1, keepdim=True), t)
    losses = objective.losses(student, batch)
    torch.testing.assert_close(losses["feature"], 0.3 * ((s - target) ** 2).mean(), rtol=1e-9, atol=0)
    torch.testing.assert_close(losses["ce"], 0.7 * functional.cross_entropy(student(batch.x).logits, batch.y))


@pytest.mark.parametrize("sites", ["embed", "mid", "embed+mid"])
def test_representations_differ_for_every_case_with_an_embedding(sites):
    # The released configuration activates no dropout layer: all its representations are equal.
    teacher, _, objective, batch = guided(SSD(dropout_sites=sites))
    t = objective.teacher.represent(batch)
    assert t.shape == (21, 30, teacher.embedding_size)
    embedded = teacher(batch.x).embedding.norm(dim=-1) > 0
    assert embedded.any()
    assert (t.var(dim=1).sum(-1)[embedded] > 0).all()


def test_with_the_embed_site_representations_are_masks_on_the_deterministic_embedding():
    teacher, _, objective, batch = guided(SSD(dropout=0.25, representations=500))
    t, h = objective.teacher.represent(batch), teacher(batch.x).embedding[:, None]
    dropped = t == 0
    torch.testing.assert_close(t, torch.where(dropped, 0, h / 0.75), rtol=1e-12, atol=0)
    assert dropped[(h > 0).expand_as(t)].double().mean().item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("sites", ["embed", "mid", "embed+mid"])
def test_representations_have_the_law_of_a_teacher_whose_dropout_layers_alone_are_on(sites):
    teacher, _, objective, batch = guided(SSD(dropout_sites=sites, representations=3000), n_cases=2)
    mine = objective.teacher.represent(batch)
    twin = copy.deepcopy(teacher).eval()
    for site in twin.sites():
        site.train()
    torch.manual_seed(0)
    with torch.no_grad():
        maps = twin.mid_site(twin.stem(batch.x.repeat_interleave(3000, 0)))
        theirs = twin.embed_site(twin.pool(twin.body(maps))).view(2, 3000, -1)
    spread = theirs.std(1) + 1e-9
    assert ((mine.mean(1) - theirs.mean(1)).abs() < 6 * spread / math.sqrt(1500) + 1e-9).all()
    torch.testing.assert_close(mine.std(1), theirs.std(1), rtol=0.1, atol=1e-6)


def test_second_halves_in_several_parts_are_those_in_one(monkeypatch):
    _, _, objective, batch = guided(SSDMid())
    whole = objective.teacher.represent(batch)
    monkeypatch.setattr("ssd_cli.methods.representations.VALUES_AT_ONCE", 1)
    _, _, objective, batch = guided(SSDMid())
    torch.testing.assert_close(objective.teacher.represent(batch), whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("settings", [SSD(), SSDMid(), SSD(space="both"), SSDSmall(), SSDLegacy()])
def test_distillation_leaves_the_teacher_bit_identical_and_in_eval_mode(settings):
    bench = workbench()
    teacher = freeze(bench.base_network(dropout=settings.rates))
    before = fingerprint(teacher)
    student = settings.untrained_student(teacher, bench)
    objective = StudentGuided(teacher, settings.parameters, bench, student.embedding_size)
    bench.train(student, objective, epochs=2)
    assert fingerprint(teacher) == before != fingerprint(student)
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_cutting_the_attention_changes_the_gradient_and_not_the_loss():
    gradients, values = {}, {}
    for detach in (False, True):
        settings = SSD(detach_attention=detach, distillation_weight=1, quantile=0.5)
        _, student, objective, batch = guided(settings)
        t = objective.teacher.represent(batch)
        s = student(batch.x).embedding.detach().requires_grad_()
        weights = weights_of(objective, s, t, batch)
        loss = objective.parameters.feature(s, t, weights, objective.teacher.embeddings[batch.index])
        (gradients[detach],) = torch.autograd.grad(loss, s)
        values[detach] = loss.item()
        if detach:
            target = torch.einsum("bn,bnd->bd", weights, t)
            torch.testing.assert_close(gradients[True], 2 * (s - target) / s.numel(), rtol=1e-12, atol=1e-15)
    assert values[True] == values[False]
    assert not torch.allclose(gradients[True], gradients[False], rtol=1e-3)


@pytest.mark.parametrize(
    "changes", [{}, {"space": "both"}, {"scale": "cosine"}, {"loss": "cosine"}, {"guidance": "label"}, {"renormalise": True}]
)
def test_huge_features_and_batches_of_one_give_finite_gradients(changes):
    _, student, objective, batch = guided(SSD(**changes), recipe=workbench().recipe, n_cases=1)
    student.body = lambda maps, body=student.body: 1e4 * body(maps)
    objective.teacher.embeddings = 1e4 * objective.teacher.embeddings
    loss = sum(objective.losses(student, batch).values())
    loss.backward()
    assert math.isfinite(loss.item())
    assert all(torch.isfinite(parameter.grad).all() for parameter in student.parameters())


def test_a_student_starts_as_its_teacher_bit_for_bit():
    bench = workbench()
    settings = SSD()
    teacher = freeze(bench.base_network(dropout=settings.rates))
    X, _ = waves(12, seed=9)
    assert (predict_proba(settings.untrained_student(teacher, bench), X) == predict_proba(teacher, X)).all()


def test_the_student_learns_its_embedding_before_its_own_dropout():
    settings = SSD(stochastic=False, dropout=0.9, distillation_weight=1)
    _, student, objective, batch = guided(settings)
    quiet = objective.losses(student, batch)["feature"]
    student.embed_site.train()
    torch.testing.assert_close(objective.losses(student, batch)["feature"], quiet)


def test_chance_keeps_as_many_as_the_student_would_with_equal_weights():
    settings = SSD(guidance="random", weighting="uniform")
    _, student, objective, batch = guided(settings)
    t = objective.teacher.represent(batch)
    first, second = (weights_of(objective, student(batch.x).embedding, t, batch) for _ in range(2))
    assert first.unique().tolist() == pytest.approx([0, 1 / 3])
    assert (first > 0).sum(1).tolist() == [3] * 21
    assert not torch.equal(first, second)


def test_chance_does_not_move_the_masks():
    drawn = []
    for settings in (SSD(), SSD(guidance="random", weighting="uniform")):
        _, student, objective, batch = guided(settings)
        objective.losses(student, batch)
        drawn.append(objective.teacher.represent(batch))
    assert torch.equal(*drawn)


def test_the_label_ranks_by_likelihood_under_the_teachers_head():
    settings = SSD(guidance="label", dropout=0.5)
    teacher, student, objective, batch = guided(settings)
    t = objective.teacher.represent(batch)
    kept = weights_of(objective, student(batch.x).embedding, t, batch) > 0
    losses = functional.cross_entropy(teacher.classifier(t).flatten(0, 1), batch.y.repeat_interleave(30), reduction="none")
    losses = losses.view(21, 30)
    assert (losses.masked_fill(~kept, -math.inf).amax(1) <= losses.masked_fill(kept, math.inf).amin(1)).all()


def test_logit_losses():
    settings = SSD(space="both", kl_weight=0.7, kl_temperature=3.0)
    teacher, student, objective, batch = guided(settings)
    losses = objective.losses(student, batch)
    t = replay(settings, teacher).represent(batch)
    weights = weights_of(objective, student(batch.x).embedding, t, batch)
    target = torch.einsum("bn,bnk->bk", weights, (teacher.classifier(t) / 3).softmax(-1))
    kl = functional.kl_div((student(batch.x).logits / 3).log_softmax(-1), target, reduction="batchmean")
    torch.testing.assert_close(losses["kl"], 0.7 * 9 * kl)

    alone = guided(SSD(space="logit", kl_temperature=3.0, distillation_weight=0.2))[2].losses(student, batch)
    assert set(alone) == {"ce", "kl"}
    torch.testing.assert_close(alone["kl"], 0.2 * 9 * kl)

    last = guided(SSD(space="logit", kl_last_pass=True, distillation_weight=0.2))[2].losses(student, batch)
    target = (teacher.classifier(t[:, -1]) / 2).softmax(-1)
    kl = functional.kl_div((student(batch.x).logits / 2).log_softmax(-1), target, reduction="batchmean")
    torch.testing.assert_close(last["kl"], 0.2 * 4 * kl)


def test_cosine_losses():
    settings = SSD(loss="cosine-all", distillation_weight=1)
    teacher, student, objective, batch = guided(settings)
    losses = objective.losses(student, batch)
    t, s = replay(settings, teacher).represent(batch), student(batch.x).embedding
    expected = 1 - torch.stack([functional.cosine_similarity(s, t[:, i]) for i in range(30)]).mean()
    torch.testing.assert_close(losses["feature"], expected)

    _, _, objective, _ = guided(SSD(loss="cosine", distillation_weight=1))
    weights = weights_of(objective, s, t, batch)
    expected = 1 - functional.cosine_similarity(s, torch.einsum("bn,bnd->bd", weights, t)).mean()
    torch.testing.assert_close(guided(SSD(loss="cosine", distillation_weight=1))[2].losses(student, batch)["feature"], expected)


def test_a_renormalised_target_is_as_long_as_the_teachers_embedding():
    settings = SSD(renormalise=True, distillation_weight=1, representations=1)
    teacher, student, objective, batch = guided(settings)
    losses = objective.losses(student, batch)
    t, s, h = replay(settings, teacher).represent(batch)[:, 0], student(batch.x).embedding, teacher(batch.x).embedding
    target = t * (h.norm(dim=1) / t.norm(dim=1).clamp_min(1e-12))[:, None]
    torch.testing.assert_close(losses["feature"], functional.mse_loss(s, target), rtol=1e-9, atol=0)


def test_curves_show_entropy_spread_and_norms():
    bench = workbench()
    SSD().fit(bench.training_set, bench)
    curve = bench.ledger.entries[-1].curve
    assert {"loss", "learning_rate", "ce", "feature", "entropy", "spread", "norm_ratio"} == set(curve)
    assert all(len(values) == 2 for values in curve.values())
    assert all(0 < value <= 1 for value in curve["entropy"])

    teacher, student, objective, batch = guided(SSD(), n_cases=9)
    objective.losses(student, batch)
    norms = [network(batch.x).embedding.norm(dim=-1).mean() for network in (student, teacher)]
    torch.testing.assert_close(objective.observed["norm_ratio"], norms[0] / norms[1])
