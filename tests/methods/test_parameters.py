import dataclasses
import math

import pytest

from ssd_cli.backbones.inception import InceptionBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.configuration import as_dict, configure, digest, label, parse_label
from ssd_cli.errors import MisuseError
from ssd_cli.methods import methods
from ssd_cli.methods.ssd import SSD
from ssd_cli.training import recipes
from ssd_cli.training.recipe import Recipe
from tests.small import recorded

ALL = methods.names()


def build(text):
    name, parameters = parse_label(text)
    return configure(methods.get(name), name, parameters)


def test_the_methods_of_the_benchmark_are_there():
    expected = (
        "single single-dropout ens-avg ens-vote swa ema soup-uniform soup-greedy kd feat-kd finetune "
        "ssd ssd-mid ssd-uniform ssd-weight ssd-filter ssd-random-k ssd-label-guided ssd-topk ssd-small ssd-legacy "
        "ens-kd ban-k ban-ens-k snapshot fge ls tfkd-reg dsr drg drg-dsr single-small kd-small embed-distill"
    )
    assert set(expected.split()) <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_method_has_defaults_a_sentence_and_documented_parameters(name):
    method = methods.get(name)()
    assert label(name, method) == name
    assert configure(type(method), *parse_label(label(name, method))) == method
    assert methods.entry(name).summary.endswith(".")
    documentation = "\n".join(base.__doc__ or "" for base in type(method).__mro__)
    for field in dataclasses.fields(method):
        assert f"{field.name}" in documentation
    digest(as_dict(method))


def test_ssd_has_the_published_defaults():
    ssd = build("ssd")
    assert (ssd.representations, ssd.temperature, ssd.scale, ssd.quantile, ssd.distillation_weight) == (30, 5, "raw", 0.9, 0.5)
    assert (ssd.kl_temperature, ssd.student_init, ssd.detach_attention, ssd.keep, ssd.loss) == (
        2,
        "teacher",
        False,
        "quantile",
        "mse",
    )
    assert (ssd.dropout, ssd.dropout_sites, ssd.top_k, ssd.kl_weight) == (0.2, "embed", 10, 0.5)
    assert (build("ssd-mid").rates.embed, build("ssd-mid").rates.mid) == (0.2, 0.1)


def test_the_others_have_the_defaults_of_their_sources():
    kd, ema, swa, feature = (build(name) for name in ("kd", "ema", "swa", "feat-kd"))
    assert (kd.temperature, kd.ce_weight, kd.kd_weight) == (4, 0.1, 0.9)
    assert (ema.decay, ema.batch_norm) == (0.999, "refresh")
    assert (swa.start, swa.learning_rate) == (0.75, 5e-4)
    assert (build("ens-avg").members, build("ens-vote").members) == (5, 5)
    teachers, generations, fge = (build(name) for name in ("ens-kd", "ban-k", "fge"))
    assert (teachers.members, teachers.target, teachers.temperature) == (5, "logits", 4)
    assert (generations.generations, generations.ce_weight) == (3, 1)
    assert (fge.start, fge.cycle, fge.high_rate, fge.low_rate) == (0.75, None, 5e-4, 1e-5)
    assert (build("snapshot").cycles, build("snapshot").averaged) == (5, None)
    virtual, ranked, guided, both = (build(name) for name in ("tfkd-reg", "dsr", "drg", "drg-dsr"))
    assert (build("ls").smoothing, build("ls").spread) == (0.1, "others")
    assert (virtual.correct, virtual.temperature, virtual.weight) == (0.99, 40, 0.1)
    assert (ranked.weight, ranked.temperature, ranked.target) == (1, 4, "rows")
    assert (guided.weight, guided.temperature, guided.head_weight, guided.shape_weight) == (0.2, 4, 1, 0)
    assert dataclasses.asdict(both) == dataclasses.asdict(guided) | {"shape_weight": 1}
    assert (feature.distillation_weight, feature.rates) == (0.5, build("ssd").rates)


def test_an_infinite_temperature_has_an_identity_of_its_own():
    flat = build("ssd[temperature=inf]")
    assert flat == SSD(temperature=math.inf) == SSD(**as_dict(flat))
    assert flat.parameters.guidance.tau == math.inf
    assert label("ssd", flat) == "ssd[temperature=inf]"
    assert digest(as_dict(flat)) != digest(as_dict(build("ssd")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("single[dropout=0.2]", "no parameter 'dropout'"),
        ("single-dropout[dropout=1]", "dropout must be at least 0 and below 1, not 1"),
        ("single-dropout[dropout_sites=embed+mid,mid_dropout=-0.1]", "mid_dropout must be at least 0"),
        ("single-dropout[dropout_sites=head]", "one of embed, mid, embed\\+mid"),
        ("single-dropout[mid_dropout=0.3]", "mid_dropout has no effect"),
        ("fge[cycle=3]", "cycle must be an even number of epochs, not 3"),
        ("fge[low_rate=0.1]", "low_rate must lie above 0 and at most at high_rate, not 0.1"),
        ("snapshot[cycles=0]", "cycles must be at least 1, not 0"),
        ("snapshot[averaged=5]", "averaged must be at least 1 and below cycles \\(5\\), not 5"),
        ("ban-k[ce_weight=-1]", "ce_weight must be at least 0, not -1"),
        ("ban-k[generations=0,ce_weight=0]", "ce_weight has no effect"),
        ("ban-k[generations=-1]", "generations must be at least 0, not -1"),
        ("ban-ens-k[generations=0]", "generations must be at least 1, not 0"),
        ("ens-kd[members=1,target=probabilities]", "target has no effect"),
        ("ens-kd[ce_weight=1,kd_weight=0,target=probabilities]", "target has no effect"),
        ("ls[smoothing=0.5]", "smoothing must be at least 0 and below 0.5, not 0.5"),
        ("ls[smoothing=0,spread=all]", "spread has no effect"),
        ("tfkd-reg[weight=0.0,temperature=20]", "temperature has no effect"),
        ("tfkd-reg[correct=0.3]", "correct must be at least 0.5 and at most 1, not 0.3"),
        ("dsr[weight=0]", "weight must be above 0, not 0"),
        ("drg[head_weight=0]", "head_weight must be above 0, not 0"),
        ("drg[weight=0,temperature=2]", "temperature has no effect"),
        ("finetune[student_share=0]", "student_share must be above 0 and at most 1, not 0"),
        ("ssd[student_share=100]", "student_share must be above 0 and at most 1, not 100"),
        ("feat-kd[distillation_weight=1.5]", "distillation_weight must be at least 0 and at most 1, not 1.5"),
        ("ens-avg[members=0]", "members must be at least 1"),
        ("ens-vote[members=two]", "a whole number"),
        ("swa[start=1]", "start must be above 0 and below 1"),
        ("swa[learning_rate=0]", "learning_rate must be above 0"),
        ("ema[decay=1]", "decay must be at least 0 and below 1"),
        ("kd[temperature=0]", "temperature must be above 0"),
        ("kd[ce_weight=0,kd_weight=0]", "must not both be 0"),
        ("kd[kd_weight=-1]", "kd_weight must be at least 0"),
        ("ssd[representations=0]", "representations must be at least 1"),
        ("ssd[temperature=0]", "temperature must be above 0"),
        ("ssd[temperature=nan]", "temperature cannot be 'nan'.\nExpected one of inf or a number"),
        ("kd[temperature=inf]", "temperature cannot be 'inf'"),
        ("ssd[quantile=1.1]", "quantile must lie between 0 and 1"),
        ("ssd[keep=topk,top_k=31]", "top_k must be at most the number of representations, 30, not 31"),
        ("ssd[top_k=3]", "top_k has no effect"),
        ("ssd-topk[quantile=0.5]", "quantile has no effect"),
        ("ssd[kl_weight=0.3]", "kl_weight has no effect"),
        ("ssd-uniform[temperature=1]", "temperature has no effect"),
        ("ssd[space=logit,loss=cosine]", "loss has no effect"),
        ("ssd[guidance=random]", "add weighting=uniform"),
        ("ssd[student=narrow]", "add student_init=random"),
        ("ssd[student_init=random,distillation_weight=1]", "untrained"),
        ("ssd[distilation_weight=1]", "Did you mean 'distillation_weight'"),
        ("ssd[loss=huber]", "one of mse, cosine, cosine-all"),
    ],
)
def test_parameters_out_of_range_or_without_effect_are_refused(text, message):
    with pytest.raises(MisuseError, match=message):
        build(text)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("single", 1),
        ("single-dropout", 1),
        ("swa", 1),
        ("ema", 1),
        ("ens-avg", 5),
        ("ens-vote[members=3]", 3),
        ("soup-uniform", 2.6),
        ("soup-greedy", 2.6),
        ("kd", 2),
        ("finetune", 1.25),
        ("feat-kd", 1.25),
        ("ssd", 1.25),
        ("ssd[student_share=1]", 2),
        ("finetune[student_share=0.5]", 1.5),
        ("ssd[teacher_stop=early50]", 0.75),
        ("ssd-mid", 1 + 0.25 * (3.25 + 22.5) / 3),
        ("ssd-mid[representations=10]", 1 + 0.25 * (3.25 + 7.5) / 3),
        ("ssd-mid[stochastic=false]", 1.25),
    ],
)
def test_costs_in_trainings_of_one_network(text, cost):
    assert recorded(text, recipes.get("fast")().for_backbone(LITEBackbone)).cost == pytest.approx(cost)


def test_students_cost_their_share_of_the_published_epochs():
    assert recorded("ssd", recipes.get("paper")().for_backbone(InceptionBackbone)).cost == pytest.approx(1 + 100 / 1500)
    assert recorded("ssd", Recipe(epochs=10, student_epochs=10).for_backbone(LITEBackbone)).cost == 2


@pytest.mark.parametrize(
    ("label", "fits"),
    [
        ("single", True), ("kd", True), ("kd[ce_weight=0]", False), ("ens-kd[ce_weight=0]", False), ("ban-k", True),
        ("ban-k[ce_weight=0]", False), ("ban-ens-k[ce_weight=0]", False), ("ssd", True), ("ssd[distillation_weight=1]", False),
    ],
)  # fmt: skip
def test_a_method_without_labels_in_its_loss_does_not_fit_them(label, fits):
    assert build(label).fits_labels == fits
