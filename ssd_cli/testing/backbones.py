"""The contract of backbones."""

from __future__ import annotations

import numpy as np
import torch

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.errors import SsdBenchError
from ssd_cli.methods.registry import methods
from ssd_cli.testing.methods import check_runs_on
from ssd_cli.testing.problem import check_configuration, fingerprint, verify
from ssd_cli.training.networks import load_arrays, state_to_arrays
from ssd_cli.training.predict import freeze, predict_proba

N_CLASSES = 3


def check_backbone(backbone: Backbone) -> None:
    """Check everything that a backbone must do; takes some seconds.

    The label gives the configuration back. Outputs and halves have their shapes. Dropout acts at its sites, in training only, and
    adds no weights. A prediction does not depend on the other cases of its batch. Weights can be stored and loaded. Series of
    unequal length give finite outputs or are refused. The narrow version, if there is one, is not larger. Networks can be trained.

    Parameters
    ----------
    backbone : Backbone

    Raises
    ------
    AssertionError
        Says what is wrong.
    """
    for check in (
        check_configuration,
        check_shapes,
        check_dropout,
        check_batches_do_not_matter,
        check_state,
        check_padding,
        check_narrow,
        check_trains,
    ):
        check(backbone)


def check_shapes(backbone: Backbone) -> None:
    """Check the outputs and halves for series of one and several channels, short and long."""
    for n_channels, n_timepoints in ((1, 24), (3, 7), (2, 101)):
        network, x = _network(backbone, n_channels).eval(), _series(5, n_channels, n_timepoints)
        with torch.no_grad():
            out, maps = network(x), network.stem(x)
            last = network.body(maps)
        where = f"for {n_channels} channels and {n_timepoints} steps"
        for name, found, size in (("logits", out.logits, N_CLASSES), ("embedding", out.embedding, network.embedding_size)):
            verify(found.shape == (5, size), f"The {name} has shape {tuple(found.shape)} {where}, expected (5, {size}).")
        verify(torch.equal(out.embedding, network.pool(last)), f"The embedding is not pool(body(stem(x))) {where}.")
        verify(torch.equal(out.logits, network.classifier(out.embedding)), f"The logits are not classifier(embedding) {where}.")


def check_dropout(backbone: Backbone) -> None:
    """Check that dropout acts at its two sites, in train mode only, and that its rate adds no weights."""
    plain, network = _network(backbone, 1), _network(backbone, 1, dropout=Dropout(embed=0.5, mid=0.5))
    x = _series(4, 1, 20)
    verify(fingerprint(plain) == fingerprint(network), "The same seed of torch gives other weights with dropout.")
    verify(network.dropout == Dropout(embed=0.5, mid=0.5), "The network does not pass its dropout rates to Network.__init__.")
    for site in network.sites():
        site.generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network.eval()
        verify(torch.equal(network(x).logits, network(x).logits), "Two predictions in eval mode differ.")
        for site in network.sites():
            site.train()
        one, two = network(x), network(x)
    verify(torch.equal(one.maps[0], two.maps[0]), "The first half draws random numbers: dropout belongs to the sites.")
    verify(not torch.equal(one.embedding, two.embedding), "The site `mid` has no effect on the embedding.")


def check_batches_do_not_matter(backbone: Backbone) -> None:
    """Check that the prediction of a case in eval mode does not depend on its batch."""
    network, x = _network(backbone, 2), _series(9, 2, 33) * torch.linspace(0.1, 3, 9)[:, None, None]
    with torch.no_grad():
        network(x)
        network.eval()
        together, alone = network(x).logits, torch.cat([network(case[None]).logits for case in x])
    verify(
        torch.allclose(alone, together, rtol=1e-5, atol=1e-5), "The prediction of a case depends on the other cases of its batch."
    )


def check_state(backbone: Backbone) -> None:
    """Check that stored weights give the same predictions, also with norms folded into convolutions."""
    network, other, x = _network(backbone, 1), _network(backbone, 1, seed=1), _series(6, 1, 20)
    with torch.no_grad():
        network(x)  # batch-norm statistics are part of the state
        load_arrays(other, state_to_arrays(network))
        expected = freeze(network)(x).logits
        verify(torch.equal(freeze(other)(x).logits, expected), "Weights that were stored and loaded give other predictions.")
    folded = predict_proba(network, x.numpy())
    same = np.allclose(folded, expected.double().softmax(-1).numpy(), rtol=0, atol=1e-5)
    verify(same, "The network as it is deployed gives other probabilities.")


def check_padding(backbone: Backbone) -> None:
    """Check series of unequal length, marked by NaN: finite outputs, or an error that says why not."""
    x = _series(4, 1, 20)
    x[1:, :, 13:] = float("nan")
    try:
        network = MaskedNetwork(_network(backbone, 1)).eval()
    except SsdBenchError:
        return  # the network overrides `pool` or `forward`, and a run says so
    with torch.no_grad():
        verify(bool(torch.isfinite(network(x).logits).all()), "The logits of series with padded steps are not finite.")


def check_narrow(backbone: Backbone) -> None:
    """Check that the narrow version, if there is one, builds networks that are not larger."""
    try:
        narrow = backbone.narrow()
    except ValueError:
        return
    sizes = [sum(parameter.numel() for parameter in one.build(1, N_CLASSES).parameters()) for one in (narrow, backbone)]
    verify(sizes[0] <= sizes[1], f"The narrow version has {sizes[0]} parameters, the backbone {sizes[1]}.")


def check_trains(backbone: Backbone) -> None:
    """Check short trainings of `single` and `ssd`."""
    for name in ("single", "ssd"):
        check_runs_on(methods.get(name)(), backbone)


def _network(backbone: Backbone, n_channels: int, seed: int = 0, dropout: Dropout = NO_DROPOUT) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return backbone.build(n_channels, N_CLASSES, dropout)


def _series(n_cases: int, n_channels: int, n_timepoints: int) -> torch.Tensor:
    return torch.randn(n_cases, n_channels, n_timepoints, generator=torch.Generator().manual_seed(2))
