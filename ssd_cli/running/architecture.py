"""How to build a network like one that was trained; a record tells it, so that stored weights can be used again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import as_dict
from ssd_cli.running.configured import configured_backbone

if TYPE_CHECKING:
    from ssd_cli.protocol.containers import TrainingSet


def architecture(network: Any, identity: dict[str, Any], training_set: TrainingSet) -> dict[str, Any]:
    """Backbone, channels, classes, and whether padded steps are masked.

    Parameters
    ----------
    network : Network
    identity : dict
        Of the cell. A small student has the narrow version of its backbone.
    training_set : TrainingSet

    Returns
    -------
    dict
        Empty for a network that a plug-in made by itself: only the plug-in can rebuild it.
    """
    from ssd_cli.backbones.masked import MaskedNetwork

    candidates = [configured_backbone(identity)]
    with suppress(ValueError):  # some backbones have no narrow version
        candidates.append(candidates[0].narrow())
    plain = network.inner if isinstance(network, MaskedNetwork) else network
    for backbone in candidates:
        if _shapes(backbone.build(training_set.n_channels, training_set.n_classes)) == _shapes(plain):
            return {
                "backbone": {"name": identity["backbone"]["name"], "parameters": as_dict(backbone)},
                "n_channels": training_set.n_channels,
                "n_classes": training_set.n_classes,
                "masked": plain is not network,
            }
    return {}


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
