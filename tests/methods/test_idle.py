"""A parameter that changes nothing is refused: an ablation would compare a method with itself. Trained, to see that it is so."""

import dataclasses

import numpy as np
import pytest

from ssd_cli.configuration import configure, parse_label
from ssd_cli.errors import MisuseError
from ssd_cli.methods import methods
from tests.small import EXACT, SmallBackbone, weights, workbench

RECIPE = dataclasses.replace(EXACT, epochs=2)
IDLE = [  # a label without the parameter, and what is refused beside it
    ("ssd[loss=cosine-all]", "quantile=0.5"),
    ("ssd[loss=cosine-all]", "scale=cosine"),
    ("ssd[loss=cosine-all]", "guidance=label"),
    ("ssd[loss=cosine-all]", "keep=topk"),
    ("ssd-uniform", "scale=cosine"),
    ("ssd-uniform", "guidance=label"),
    ("ssd-uniform", "guidance=random"),
    ("ssd-weight[temperature=inf]", "guidance=label"),
    ("ssd-filter", "detach_attention=true"),
    ("ssd-filter", "scale=sqrtd"),
    ("ssd[temperature=inf]", "detach_attention=true"),
    ("ssd[distillation_weight=0]", "quantile=0.5"),
    ("ssd[distillation_weight=0]", "representations=7"),
    ("ssd[distillation_weight=0]", "stochastic=false"),
    ("ssd[distillation_weight=0]", "space=logit"),
    ("ssd[distillation_weight=0,space=both]", "loss=cosine"),
    ("ssd[stochastic=false]", "quantile=0.5"),
    ("ssd[stochastic=false]", "renormalise=true"),
    ("ssd-legacy", "representations=10"),
    ("ssd[dropout=0]", "temperature=1"),
    ("ssd[dropout=0]", "stochastic=false"),
    ("ssd[representations=1]", "temperature=1"),
    ("ssd[representations=1]", "quantile=0.5"),
    ("ssd[representations=10]", "temperature=1"),
    ("ssd[representations=10]", "weighting=uniform"),
    ("ssd[quantile=1]", "temperature=1"),
    ("ssd-topk[top_k=1]", "temperature=1"),
    ("ssd-topk[top_k=1]", "detach_attention=true"),
    ("ssd[space=logit,kl_last_pass=true]", "quantile=0.5"),
    ("ssd[representations=1,space=logit]", "kl_last_pass=true"),
    ("kd[ce_weight=1,kd_weight=0]", "temperature=2"),
]
USED = [
    ("ssd[loss=cosine-all]", "representations=7"),
    ("ssd[loss=cosine-all,space=both]", "quantile=0.5"),
    ("ssd-filter", "scale=cosine"),
    ("ssd-filter", "guidance=label"),
    ("ssd-weight", "scale=sqrtd"),
    ("ssd-weight", "guidance=label"),
    ("ssd[distillation_weight=0,space=both]", "quantile=0.5"),
    ("ssd[representations=1]", "renormalise=true"),
    ("ssd[representations=10]", "scale=cosine"),
    ("ssd[space=both,kl_last_pass=true]", "quantile=0.5"),
    ("ssd[dropout_sites=mid]", "temperature=1"),
    ("kd[ce_weight=0]", "temperature=2"),
]


def joined(label, more):
    return f"{label[:-1]},{more}]" if label.endswith("]") else f"{label}[{more}]"


def trained(label):
    name, parameters = parse_label(label)
    bench = workbench(recipe=RECIPE, backbone=SmallBackbone(10))
    return weights(configure(methods.get(name), name, parameters).fit(bench.training_set, bench).networks[0])


@pytest.mark.parametrize(("label", "more"), IDLE)
def test_what_changes_nothing_is_refused(label, more, request):
    with pytest.raises(MisuseError, match=f"{more.partition('=')[0]} has no effect"):
        trained(joined(label, more))
    request.getfixturevalue("idle_parameters_pass")
    np.testing.assert_allclose(trained(joined(label, more)), trained(label), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("label", "more"), USED)
def test_what_changes_something_is_not(label, more):
    assert abs(trained(joined(label, more)) - trained(label)).max() > 1e-6


def test_one_representation_by_chance_may_be_named_in_full():
    found = trained("ssd[guidance=random,weighting=uniform,representations=10]")
    np.testing.assert_array_equal(found, trained("ssd-random-k[representations=10]"))
