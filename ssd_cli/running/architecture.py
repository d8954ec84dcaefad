"""Describe how to rebuild a trained network, for its record: export loads the stored weights into it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import as_dict
from ssd_cli.training.build import build_backbone

if TYPE_CHECKING:
    from ssd_cli.core.cell_spec import CellSpec
    from ssd_cli.protocol.containers import TrainingSet


def architecture(network: Any, spec: CellSpec, training_set: TrainingSet) -> dict[str, Any]:
    """Return backbone, channels, classes, and whether padded time steps are masked.

    A small student has the narrow version of the cell's backbone. The dict is empty for a network that a plug-in builds itself.
    """
    from ssd_cli.backbones.masked import MaskedNetwork

    candidates = [build_backbone(spec)]
    with suppress(ValueError):  # some backbones have no narrow version
        candidates.append(candidates[0].narrow())
    plain = network.inner if isinstance(network, MaskedNetwork) else network
    for backbone in candidates:
        if _shapes(backbone.build(training_set.n_channels, training_set.n_classes)) == _shapes(plain):
            return {
                "backbone": {"name": spec.backbone.name, "parameters": as_dict(backbone)},
                "n_channels": training_set.n_channels,
                "n_classes": training_set.n_classes,
                "masked": plain is not network,
            }
    return {}


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
