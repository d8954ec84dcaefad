"""Methods that distil into a narrow network: kd-small, embed-distill, and what their students are compared with."""

import dataclasses

import numpy as np
import pytest
import torch

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import Backbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.methods.augmentations import augment, mix, warp
from ssd_cli.methods.budget import fill_in
from ssd_cli.methods.embed_distill import Geometric, TeacherTargets, inherit, merge_head
from ssd_cli.methods.small import untrained
from ssd_cli.protocol.containers import TrainingSet
from ssd_cli.training.objective import Batch
from ssd_cli.training.predict import freeze, predict_proba
from ssd_cli.training.recipe import Recipe
from tests.small import EXACT, SmallBackbone, build, fingerprint, recorded, waves, waves_training_set, workbench

WIDE = SmallBackbone(8)


def prepared(label="embed-distill", labelled=True, **options):
    """A workbench, a student with its inherited head, its teacher and its objective."""
    bench, settings = workbench(recipe=EXACT, backbone=WIDE, **options), build(label)
    teacher, student = freeze(bench.base_network()), untrained(bench)
    inherit(student, teacher, settings.head, bench)
    objective = Geometric(TeacherTargets(teacher, settings, bench), settings, bench, labelled)
    objective.prepare(bench.tensors(bench.training_set)[0])
    return bench, student, teacher, objective


def first_cases(bench, n=9):
    x, y = bench.tensors(bench.training_set)
    return Batch(x[:n], y[:n], torch.arange(n))


def test_where_the_mapped_embedding_is_the_teachers_the_logits_are_too():
    bench, student, teacher, _ = prepared()
    x = first_cases(bench, 5).x
    into, classifier = student.eval().classifier
    with torch.no_grad():
        embedding, target = student(x).embedding, teacher(x).embedding
        with_ones = torch.cat([embedding, torch.ones(5, 1, dtype=torch.float64)], 1)
        solution = torch.linalg.lstsq(with_ones, target, driver="gelsd").solution  # five cases, seven coordinates: exact
        into.weight.copy_(solution[:-1].T)
        into.bias.copy_(solution[-1])
        torch.testing.assert_close(into(embedding), target, atol=1e-8, rtol=0)
        torch.testing.assert_close(student(x).logits, teacher(x).logits, atol=1e-5, rtol=0)
    assert classifier.weight.equal(teacher.classifier.weight)


@pytest.mark.parametrize("seed", range(5))
def test_logits_are_no_further_apart_than_embeddings_allow(seed):
    _, student, teacher, _ = prepared()
    x = torch.randn(20, 1, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        mine, theirs = student.eval()(x), teacher(x)
        apart = (student.classifier[0](mine.embedding) - theirs.embedding).norm(dim=-1)
        longest = teacher.classifier.weight.norm(dim=-1).max()
    assert ((mine.logits - theirs.logits).abs().max(-1).values <= longest * apart + 1e-12).all()


@pytest.mark.parametrize(("head", "moves"), [("inherited", False), ("trained", True)])
def test_an_inherited_classifier_stays_as_it_was(head, moves):
    bench, student, teacher, objective = prepared(f"embed-distill[head={head}]")
    before, teachers = fingerprint(student.classifier[1]), fingerprint(teacher)
    bench.train(student, objective)
    assert (fingerprint(student.classifier[1]) != before) == moves
    assert fingerprint(teacher) == teachers
    assert fingerprint(student.classifier[0]) != fingerprint(prepared()[1].classifier[0])


def test_the_deployed_head_is_the_product_of_map_and_classifier():
    bench, student, _, _ = prepared()
    X, _ = waves(12, seed=5)
    before = student.eval()(torch.as_tensor(X, dtype=torch.float64)).logits.softmax(-1)
    merged = merge_head(student)
    np.testing.assert_allclose(predict_proba(merged, X), before.detach().numpy(), rtol=1e-12)
    alone = build("single-small").fit(bench.training_set, bench).networks[0]
    shapes = [{name: value.shape for name, value in network.state_dict().items()} for network in (merged, alone)]
    assert shapes[0] == shapes[1]  # no more to deploy than the narrow network has by itself


@pytest.mark.parametrize("n_classes", [2, 10, 60])
def test_the_students_size_is_about_a_tenth(n_classes):
    inception = backbones.get("inception")()
    teacher, student = (which.build(1, n_classes) for which in (inception, inception.narrow()))
    inherit(student, teacher, "inherited", workbench())
    size = {network: sum(one.numel() for one in network.parameters()) for network in (teacher, student)}
    assert 0.09 < size[student] / size[teacher] < 0.13


def test_the_first_stage_knows_no_labels_and_the_second_all_three_losses():
    bench, student, teacher, first = prepared("embed-distill[views=0,kl_weight=0.5,temperature=3]", labelled=False)
    *_, second = prepared("embed-distill[views=0,kl_weight=0.5,temperature=3]")
    batch = first_cases(bench)
    losses, more = first.losses(student, batch), second.losses(student, batch)
    assert list(losses) == ["feature"]
    torch.testing.assert_close(more["feature"], losses["feature"])
    all_targets = teacher(bench.tensors(bench.training_set)[0]).embedding
    mapped, target = student.classifier[0](student(batch.x).embedding), teacher(batch.x).embedding
    expected = (mapped - target).norm(dim=-1).mean() / all_targets.norm(dim=-1).mean()
    torch.testing.assert_close(losses["feature"], expected)
    z, z_teacher = student(batch.x).logits, teacher(batch.x).logits
    torch.testing.assert_close(more["ce"], torch.nn.functional.cross_entropy(z, batch.y))
    divergence = torch.nn.functional.kl_div((z / 3).log_softmax(-1), (z_teacher / 3).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(more["kd"], 0.5 * 9 * divergence)


def test_an_embedding_that_is_met_exactly_has_a_finite_gradient():
    *_, objective = prepared()
    mapped = torch.ones(3, 10, dtype=torch.float64, requires_grad=True)
    objective.distance(mapped, mapped.detach().clone()).backward()
    assert torch.isfinite(mapped.grad).all()


def test_the_teacher_is_asked_once_about_cases_and_views():
    bench, settings = workbench(backbone=WIDE), build("embed-distill[views=2]")
    asked = []
    teacher = freeze(bench.base_network())
    teacher.register_forward_hook(lambda module, inputs, _: asked.append(len(inputs[0])))
    targets = TeacherTargets(teacher, settings, bench)
    for _ in range(2):
        targets.prepare(bench.tensors(bench.training_set)[0])
    assert asked == [21, 42]


def test_a_view_is_learned_beside_each_case_where_the_teacher_puts_it():
    bench, student, teacher, objective = prepared("embed-distill[views=1,embed_weight=3]")
    batch, views = first_cases(bench), objective.targets.augmentations[:9, 0]
    losses = objective.losses(student, batch)
    together = student(torch.cat([batch.x, views]))
    mapped, target = student.classifier[0](together.embedding), torch.cat([teacher(one).embedding for one in (batch.x, views)])
    unit = 1 / teacher(bench.tensors(bench.training_set)[0]).embedding.norm(dim=-1).mean()
    torch.testing.assert_close(losses["feature"], 3 * unit * (mapped - target).norm(dim=-1).mean())
    torch.testing.assert_close(losses["ce"], torch.nn.functional.cross_entropy(together.logits[:9], batch.y))  # views have no label


def test_another_view_is_chosen_each_time():
    bench, student, teacher, objective = prepared("embed-distill[views=2]")
    targets, seen = objective.targets, []
    for view in range(2):
        torch.testing.assert_close(targets.augmentation_embeddings[:, view], teacher(targets.augmentations[:, view]).embedding)
    student.register_forward_hook(lambda module, inputs, _: seen.append(inputs[0]))
    batch = first_cases(bench)
    for _ in range(8):
        objective.losses(student, batch)
    for x in seen:
        torch.testing.assert_close(x[:9], batch.x)
        assert all(any(x[9 + case].equal(targets.augmentations[case, view]) for view in range(2)) for case in range(9))
    assert len({fingerprint_of(x) for x in seen}) > 1


@pytest.mark.parametrize(("distance", "expected"), [("mse", 4 * (9 + 1) / 2), ("cosine", 1 - 0.6)])
def test_other_distances(distance, expected):
    *_, objective = prepared(f"embed-distill[distance={distance}]")
    objective.targets.unit = torch.tensor(2.0)
    mapped, target = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 5.0]])
    if distance == "cosine":
        target = torch.tensor([[1.0, 0.0]])
    assert objective.distance(mapped, target).item() == pytest.approx(expected)


def trainings_of(label, monkeypatch, **options):
    """What a fit trains: (network as it was, objective, options)."""
    bench, found = workbench(**options), []
    train = bench.train

    def noting(network, objective, **more):
        found.append((bench.copy(network), objective, more))
        return train(network, objective, **more)

    monkeypatch.setattr(bench, "train", noting)
    build(label).fit(bench.training_set, bench)
    return bench, found


def test_labels_come_in_the_second_stage(monkeypatch):
    _, found = trainings_of("embed-distill[first_stage=0.75]", monkeypatch, backbone=WIDE)
    assert [(objective.labelled, more["epochs"]) for _, objective, more in found] == [(False, 3), (True, 1)]


def test_of_a_single_epoch_the_first_stage_has_none(monkeypatch):
    _, found = trainings_of("embed-distill", monkeypatch, recipe=dataclasses.replace(EXACT, epochs=1))
    assert [(objective.labelled, more["epochs"]) for _, objective, more in found] == [(True, 1)]


@pytest.mark.parametrize("label", ["single-small", "kd-small", "embed-distill"])
def test_all_start_from_the_same_weights(label, monkeypatch):
    bench, found = trainings_of(label, monkeypatch, backbone=WIDE)
    first, fresh = found[0][0], bench.fresh(0, backbone=WIDE.narrow())
    for name, value in fresh.state_dict().items():
        assert name.startswith("classifier") or value.equal(first.state_dict()[name])


def test_a_network_that_cannot_be_narrower_is_single():
    """So that start and batches of the small one are those of `single`."""
    narrowest = SmallBackbone(2)
    assert narrowest.narrow() == narrowest
    for label in ("single-small", "kd-small[ce_weight=1,kd_weight=0]"):
        bench = workbench(backbone=narrowest)
        small, single = (build(one).fit(bench.training_set, bench).networks[0] for one in (label, "single"))
        assert fingerprint(small) == fingerprint(single)


@pytest.mark.parametrize("label", ["single-small", "kd-small", "embed-distill", "ssd-small"])
def test_cells_of_a_backbone_without_a_narrow_version_are_skipped(label):
    class Wide(SmallBackbone):
        def narrow(self):
            return Backbone.narrow(self)

    training_set = waves_training_set()
    assert build(label).skip(training_set, Wide()) == "Wide has no narrow version"
    assert build(label).skip(training_set, SmallBackbone()) is None
    assert recorded(label, EXACT.for_backbone(SmallBackbone), Wide()).trainings == []


@pytest.mark.parametrize(
    ("label", "epochs"),
    [
        ("single-small", [100]),
        ("kd-small", [50, 50]),
        ("ssd-small", [80, 20]),
        ("embed-distill[views=0]", [50, 25, 25]),
        ("embed-distill", [33, 17, 16]),  # a view beside each case is a pass too
    ],
)
def test_under_equal_compute_an_epoch_of_a_small_network_is_an_epoch(label, epochs):
    method = build(label)
    recipe = fill_in(Recipe(epochs=100, budget="equal-compute"), LITEBackbone(), method)
    assert [training.epochs for training in recorded(method, recipe, LITEBackbone()).trainings] == epochs


def fingerprint_of(x):
    return x.numpy().tobytes()


def random():
    return torch.Generator().manual_seed(0)


def test_mixtures_stay_within_their_class():
    y = torch.arange(30) % 3
    x = y.to(torch.float64)[:, None, None] + torch.zeros(1, 2, 5, dtype=torch.float64)
    torch.testing.assert_close(mix(x, y, random()), x)
    pair = torch.tensor([0.0, 1.0]).repeat(50)[:, None, None].expand(100, 1, 3)
    mixed = mix(pair, torch.zeros(100, dtype=torch.long), random())[::2, 0, 0]  # of zeros: the weight of a one, or nothing
    weights = mixed[mixed > 0]
    assert 10 < len(weights) < 40 and weights.unique().numel() == len(weights)
    assert 0.3 <= weights.min() < 0.4 and 0.6 < weights.max() <= 0.7
    numbered = torch.arange(30, dtype=torch.float64)[:, None, None].expand(30, 1, 4)
    mixed = mix(numbered, y, random())
    assert not mixed.equal(numbered)
    assert (mixed.std(-1) == 0).all()
    assert (mixed >= 0).all() and (mixed <= 29).all()


def test_a_warp_keeps_both_ends_the_order_and_what_is_constant():
    ramp = torch.linspace(0, 1, 50, dtype=torch.float64).expand(200, 2, 50)
    warped = warp(ramp, random())
    assert (warped.diff(dim=-1) > 0).all()
    torch.testing.assert_close(warped[..., [0, -1]], ramp[..., [0, -1]])
    torch.testing.assert_close(warped[:, 0], warped[:, 1])  # channels together
    steps = warped.diff(dim=-1) * 49
    fast, slow = steps.amax((1, 2)), steps.amin((1, 2))
    assert ((fast > 1.5) | (slow < 0.6)).all()  # somewhere twice as fast, or half
    assert {bool(one) for one in fast > 1.5} == {True, False}
    constant = torch.full((4, 1, 20), 3.0)
    torch.testing.assert_close(warp(constant, random()), constant)


@pytest.mark.parametrize("n_timepoints", [1, 2, 3])
def test_very_short_series_have_views(n_timepoints):
    x = torch.randn(4, 1, n_timepoints, generator=random())
    assert torch.isfinite(augment(x, torch.tensor([0, 0, 1, 1]), 3, 0.03, random())).all()


def test_the_noise_of_views_has_the_deviation_that_was_asked_for():
    views = augment(torch.zeros(20, 2, 100), torch.zeros(20, dtype=torch.long), 3, 0.03, random())
    assert views.std().item() == pytest.approx(0.03, rel=0.05)


def padded():
    X, y = waves(21)
    X[::3, :, 20:] = np.nan
    return TrainingSet(X, y, 3, "Padded")


def test_views_end_where_their_series_end():
    training_set = padded()
    x, y = torch.as_tensor(training_set.X), torch.as_tensor(training_set.y)
    views = augment(x, y, 3, 0.03, random())
    assert views.isnan().equal(x.isnan()[:, None].expand(views.shape))
    ramp = torch.arange(32.0).expand(5, 1, 32).clone()
    ramp[:, :, 20:] = torch.nan
    torch.testing.assert_close(warp(ramp, random())[:, 0, [0, 19]], ramp[:, 0, [0, 19]])


@pytest.mark.parametrize("training_set", [padded(), waves_training_set()], ids=["padded", "equal"])
def test_it_is_fitted_and_predicts(training_set):
    bench = workbench(training_set)
    predictor = build("embed-distill").fit(training_set, bench)
    probabilities = predictor.predict_proba(training_set.X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert [entry.epochs for entry in bench.ledger.entries] == [4, 2, 2]
