"""The networks of cells: store them, record how to rebuild them, and delete networks that no cell needs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import as_dict
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.job import Job
from ssd_cli.running.plan import PlannedCell
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore
from ssd_cli.training.build import build_backbone

if TYPE_CHECKING:
    from ssd_cli.core.cell_spec import CellSpec
    from ssd_cli.methods.base import Predictor
    from ssd_cli.protocol.containers import TrainingSet


def store_networks(job: Job, predictor: Predictor, training_set: TrainingSet) -> list[dict[str, Any]]:
    """Store the networks of a predictor; return a dict per network: its file and how to rebuild it, or that it is not kept.

    A predictor of a plug-in's class is more than its networks: only that plug-in can rebuild it.
    """
    from ssd_cli.methods.base import Predictor

    if not job.keep_networks:
        return [{"kept": False} for _ in predictor.networks]
    # An export knows the combination rule of this package's methods by name, and assumes that plug-ins predict the mean.
    spec = job.planned.spec
    known = type(predictor) is Predictor and (predictor.combination == "mean" or not spec.method.plugin_sha256)
    return [
        {"kept": True, "sha256": name, "file_bytes": size} | (_architecture(network, spec, training_set) if known else {})
        for network, (name, size) in zip(predictor.networks, save_weights(job, predictor), strict=True)
    ]


def save_weights(job: Job, predictor: Predictor) -> list[tuple[str, int]]:
    """Store the weights of a predictor unless they are already stored; return names and sizes of the files."""
    from ssd_cli.training.networks import state_to_arrays

    return [NetworkStore(job.out).save(state_to_arrays(network)) for network in predictor.networks]


def _architecture(network: Any, spec: CellSpec, training_set: TrainingSet) -> dict[str, Any]:
    """Return backbone, channels, classes, length and masking of a network; an empty dict for a network that a plug-in builds."""
    from ssd_cli.backbones.masked import MaskedNetwork

    candidates = [build_backbone(spec)]
    with suppress(ValueError):  # small students use narrow versions, which some backbones lack
        candidates.append(candidates[0].narrow())
    plain = network.inner if isinstance(network, MaskedNetwork) else network
    for backbone in candidates:
        built = backbone.build_for(training_set.n_timepoints, training_set.n_channels, training_set.n_classes)
        if _shapes(built) == _shapes(plain):
            return {
                "backbone": {"name": spec.backbone.name, "parameters": as_dict(backbone)},
                "n_channels": training_set.n_channels,
                "n_classes": training_set.n_classes,
                "n_timepoints": training_set.n_timepoints,
                "masked": plain is not network,
            }
    return {}


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def discard_group(store: ResultStore, networks: NetworkStore, cells: Iterable[PlannedCell]) -> int:
    """Delete the networks that all cells of a finished group shared; return the number of freed bytes.

    A network stays if a record of the same dataset, resample and seed lists it as kept. Another run that needs a deleted network
    trains it again, with the same result.
    """
    patterns = set()
    for cell in (planned.cell for planned in cells):
        backbone = cell.folder.rpartition("@")[2]
        patterns.add(f"seed{cell.seed}/*@{backbone}/Predictions/{cell.dataset}/testResample{cell.resample}.json")
    keys, keep = set(), set()
    for path in (path for pattern in patterns for path in store.root.glob(pattern)):
        try:
            record = CellRecord.from_json(path.read_bytes(), str(path))
        except (OSError, SsdBenchError):
            return 0  # an unreadable record may need any network
        keys |= {entry["key"] for entry in record.curves if entry.get("key")}
        keep |= {entry["sha256"] for entry in record.networks if entry.get("kept")}
    return networks.discard(keys, keep)
