"""The contract of backbones."""

from __future__ import annotations

import numpy as np
import torch

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.errors import SsdBenchError
from ssd_cli.methods import methods
from ssd_cli.methods.small import why_not_narrow
from ssd_cli.testing.methods import check_runs_on
from ssd_cli.testing.problem import check_configuration, fingerprint, verify
from ssd_cli.training.networks import load_arrays, state_to_arrays
from ssd_cli.training.predict import freeze, predict_proba

N_CLASSES = 3


@torch.no_grad()
def check_backbone(backbone: Backbone) -> None:
    """Check everything that a backbone must do; takes some seconds.

    The label can be parsed into an equal configuration. The outputs of the network and its halves have the documented shapes.
    Dropout acts at its sites, in training only, and adds no weights. A prediction does not depend on the other cases of its batch.
    Weights can be stored and loaded. Series of unequal length give finite outputs or are refused. The narrow version, if there is
    one, is not larger. Networks can be trained.
    """
    check_configuration(backbone)
    for n_channels, n_timepoints in ((1, 24), (3, 7), (2, 101)):
        _check_shapes(backbone, n_channels, n_timepoints)
    _check_dropout(backbone)
    _check_predictions(backbone)
    if why_not_narrow(backbone) is None:
        sizes = [sum(weight.numel() for weight in _network(one, (1, 24)).parameters()) for one in (backbone.narrow(), backbone)]
        verify(sizes[0] <= sizes[1], f"The narrow version has {sizes[0]} parameters, the backbone {sizes[1]}.")
    with torch.enable_grad():
        for name in ("single", "ssd"):
            check_runs_on(methods.get(name)(), backbone)


def _check_shapes(backbone: Backbone, n_channels: int, n_timepoints: int) -> None:
    network, x = _network(backbone, (n_channels, n_timepoints)).eval(), _series(5, n_channels, n_timepoints)
    out, where = network(x), f"for {n_channels} channels and {n_timepoints} steps"
    for name, found, size in (("logits", out.logits, N_CLASSES), ("embedding", out.embedding, network.embedding_size)):
        verify(found.shape == (5, size), f"The {name} has shape {tuple(found.shape)} {where}, expected (5, {size}).")
    last = network.body(network.stem(x))
    verify(torch.equal(out.embedding, network.pool(last)), f"The embedding is not pool(body(stem(x))) {where}.")
    verify(torch.equal(out.logits, network.classifier(out.embedding)), f"The logits are not classifier(embedding) {where}.")


def _check_dropout(backbone: Backbone) -> None:
    plain, network = _network(backbone, (1, 20)), _network(backbone, (1, 20), dropout=Dropout(embed=0.5, mid=0.5))
    x = _series(4, 1, 20)
    verify(fingerprint(plain) == fingerprint(network), "The same seed of torch gives other weights with dropout.")
    verify(network.dropout == Dropout(embed=0.5, mid=0.5), "The network does not pass its dropout rates to Network.__init__.")
    network.eval()
    verify(torch.equal(network(x).logits, network(x).logits), "Two predictions in eval mode differ.")
    for site in (network.mid_site, network.embed_site):
        site.generator = torch.Generator().manual_seed(1)
        site.train()
    one, two = network(x), network(x)
    verify(torch.equal(one.maps[0], two.maps[0]), "The first half draws random numbers: only the sites may have dropout.")
    verify(not torch.equal(one.embedding, two.embedding), "The site `mid` has no effect on the embedding.")


def _check_predictions(backbone: Backbone) -> None:
    network, other = _network(backbone, (2, 33)), _network(backbone, (2, 33), seed=1)
    x = _series(9, 2, 33) * torch.linspace(0.1, 3, 9)[:, None, None]
    network(x)  # in train mode: batch-norm statistics are part of the state
    load_arrays(other, state_to_arrays(network))
    together = freeze(network)(x).logits
    same = torch.allclose(torch.cat([network(case[None]).logits for case in x]), together, rtol=1e-5, atol=1e-5)
    verify(same, "The prediction of a case depends on the other cases of its batch.")
    verify(torch.equal(freeze(other)(x).logits, together), "Weights that were stored and loaded give other predictions.")
    deployed = predict_proba(network, x.numpy())
    same = np.allclose(deployed, together.double().softmax(-1).numpy(), rtol=0, atol=1e-5)
    verify(same, "The network as it is deployed gives other probabilities.")
    x[1:, :, 23:] = float("nan")  # padded steps
    try:
        masked = MaskedNetwork(network).eval()
    except SsdBenchError:
        return  # the network overrides `pool` or `forward`; a run reports this as an error
    verify(bool(torch.isfinite(masked(x).logits).all()), "The logits of series with padded steps are not finite.")


def _network(backbone: Backbone, shape: tuple[int, int], seed: int = 0, dropout: Dropout = NO_DROPOUT) -> Network:
    """Build a network for series of a shape (n_channels, n_timepoints)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return backbone.build_for(shape[1], shape[0], N_CLASSES, dropout)


def _series(n_cases: int, n_channels: int, n_timepoints: int) -> torch.Tensor:
    return torch.randn(n_cases, n_channels, n_timepoints, generator=torch.Generator().manual_seed(2))
