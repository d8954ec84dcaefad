"""Methods that must coincide where their parameters say so."""

import numpy as np
import pytest
from torch import nn

from ssd_cli.configuration import configure
from ssd_cli.training import recipes
from ssd_cli.training.networks import MemoryNetworks
from tests.small import EXACT, SmallBackbone, build, fingerprint, waves, weights, workbench

STORE = MemoryNetworks()


def fit(label, recipe=EXACT):
    # wide enough that no two masks of an embedding are equal: tied representations all survive a quantile, but not a fixed number
    bench = workbench(recipe=recipe, networks=STORE, backbone=SmallBackbone(40))
    return build(label).fit(bench.training_set, bench)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("single-dropout[dropout=0]", "single"),
        ("single-dropout[dropout_sites=mid,mid_dropout=0]", "single"),
        ("ens-avg[members=1]", "single"),
        ("ema[decay=0,batch_norm=live]", "single"),
        ("ssd[distillation_weight=0]", "finetune"),
        ("feat-kd[distillation_weight=0]", "finetune"),
        ("ssd-mid[distillation_weight=0]", "finetune[dropout_sites=embed+mid]"),
        ("ssd-topk[top_k=3]", "ssd"),
        ("ssd[keep=topk,top_k=1]", "ssd[quantile=1]"),
        ("ssd-filter[quantile=0]", "ssd-uniform"),
        ("ssd-random-k[quantile=0]", "ssd-uniform"),
        ("ssd-random-k[representations=1]", "ssd[representations=1]"),
        ("ssd-label-guided[representations=1]", "ssd[representations=1]"),
        ("ssd-weight[temperature=inf]", "ssd-uniform"),
        ("ssd[dropout_sites=embed+mid]", "ssd-mid"),
        ("ssd-legacy[legacy_eval=false,stochastic=true]", "ssd[student_init=random,student_share=1]"),
        ("kd[ce_weight=1,kd_weight=0]", "ens-avg[members=2]"),  # the student is the second member
        ("ens-kd[members=1]", "kd"),
        ("ens-kd[ce_weight=1,kd_weight=0]", "ens-avg[members=6]"),
        ("ban-k[generations=0]", "single"),
        ("ban-k[generations=1]", "kd[temperature=1,ce_weight=1,kd_weight=1]"),
        ("ban-ens-k", "ban-k"),  # the last generation
        ("snapshot[averaged=1]", "snapshot"),
        ("kd-small[ce_weight=1,kd_weight=0]", "single-small"),
    ],
)
def test_the_same_weights(one, other):
    mine, theirs = fit(one).networks[-1], fit(other).networks[-1]
    np.testing.assert_allclose(weights(mine), weights(theirs), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("changes", ["", "representations=1", "quantile=0,temperature=0.1", "keep=topk,top_k=2"])
@pytest.mark.parametrize("dropout", ["dropout=0.2", "dropout=0.1,dropout_sites=embed+mid"])
@pytest.mark.usefixtures("idle_parameters_pass")
def test_ssd_without_masks_is_feature_distillation(changes, dropout):
    ssd = fit(f"ssd[stochastic=false,student_share=0.25,{dropout},{changes}]")
    feature = fit(f"feat-kd[student_share=0.25,{dropout}]")  # three steps
    np.testing.assert_allclose(weights(ssd.networks[0]), weights(feature.networks[0]), rtol=1e-5, atol=1e-8)


def test_a_method_that_should_differ_does():
    """The equalities above would hold for methods that ignore their parameters."""
    labels = (
        "single single-dropout finetune feat-kd kd swa ema soup-uniform ssd ssd-mid ssd-uniform ssd-weight ssd-filter ssd-random-k "
        "ssd-label-guided ssd-topk ssd-legacy ssd[detach_attention=true] ssd[scale=cosine] ssd[scale=sqrtd] ssd[temperature=1] "
        "ssd[loss=cosine] ssd[loss=cosine-all] ssd[space=logit] ssd[space=both] ssd[space=both,kl_last_pass=true] "
        "ssd[space=both,kl_weight=0.1] ssd[space=both,kl_temperature=4] ssd[renormalise=true] ssd[student_init=random] "
        "ssd[teacher_stop=early25] ssd[teacher_stop=early75] ssd[dropout=0.3] ssd[dropout_sites=mid] ssd[representations=5] "
        "ssd[student_share=.25] ssd[distillation_weight=1] ssd[quantile=0.5] ens-kd ens-kd[target=probabilities] ens-kd[members=2] "
        "ban-k ban-k[generations=2] ban-ens-k[generations=1] snapshot snapshot[cycles=2] fge fge[start=0.5] fge[high_rate=0.01]"
    )
    prints = {label: fingerprint(fit(label).networks[0]) for label in labels.split()}
    assert len(set(prints.values())) == len(prints)


def test_an_ensemble_of_one_predicts_as_its_member_and_votes_for_its_class():
    X, _ = waves(12, seed=4)
    single, mean, vote = (fit(label).predict_proba(X) for label in ("single", "ens-avg[members=1]", "ens-vote[members=1]"))
    assert (mean == single).all()
    assert (vote.argmax(1) == single.argmax(1)).all()


@pytest.mark.parametrize("label", ["ssd[student_init=random]", "ssd-small"])
def test_a_fresh_student_of_a_long_recipe_is_deployed_with_statistics_of_its_own(label):
    """100 steps with the momentum of 1500 epochs would leave a third of the initial statistics in the network."""
    recipe = configure(recipes.get("paper"), "paper", {"epochs": "500"})
    bench = workbench(recipe=recipe, backbone=SmallBackbone(4))
    student = build(label).fit(bench.training_set, bench).networks[0]
    assert {layer.momentum for layer in student.modules() if isinstance(layer, nn.BatchNorm1d)} == {0.1}
