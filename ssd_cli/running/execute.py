"""One cell, from its identity to its record. This is the only place that opens a test set, after the predictor is frozen."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core.atomic import StorageError, writing_to
from ssd_cli.core.claims import Claims
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.configured import PlanOutdated, configured_backbone, configured_method
from ssd_cli.running.job import Job, Outcome
from ssd_cli.running.packing import out_of_memory, releasing
from ssd_cli.running.plan import PlannedCell
from ssd_cli.running.provenance import provenance, reduce_paths
from ssd_cli.running.resume import record_mark
from ssd_cli.running.threads import restore_threads
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord, difference, plain
from ssd_cli.store.results import ResultStore

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ssd_cli.archives.dataset import Dataset
    from ssd_cli.methods.base import Method, Predictor
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.protocol.sealed import SealedTest

Tell = Callable[[Any], None]


@dataclass
class _Parts:
    """What is known of a cell so far; a failure keeps what there is."""

    scores: dict[str, float] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    curves: list[dict[str, Any]] = field(default_factory=list)
    networks: list[dict[str, Any]] = field(default_factory=list)
    predictor: Predictor | None = None
    y: npt.NDArray[np.int64] | None = None
    probabilities: npt.NDArray[np.float64] | None = None


def finished_by_another(store: ResultStore, planned: PlannedCell) -> Outcome | None:
    """What another run made of a cell meanwhile, or None.

    Raises
    ------
    SsdBenchError
        Another run writes the same cells with another configuration.
    """
    found = store.read(planned.cell)
    if found is None:
        return None
    if found.identity_hash != planned.identity_hash:
        raise SsdBenchError(
            f"Another run with another configuration writes into {store.root} at the same time: {planned.cell}.",
            "\n".join(difference(found.identity, planned.identity)),
            "Use another --out for one of them.",
        )
    return Outcome(found.status, found.reason or "", 0.0, found.scores.get("accuracy"))


@releasing
def execute(job: Job, tell: Tell) -> Outcome:
    """Claim a cell, compute it, and write its record; a task for a worker.

    Whatever goes wrong inside the cell becomes a record with the status "failed". Only what makes any record impossible is raised:
    a full disk, or a plan that is out of date.
    """
    store, planned = ResultStore(job.out), job.planned
    with writing_to(job.out):
        claim = Claims(job.out / ".claims").take(planned.key, str(planned.cell))
    if claim is None:
        return Outcome("claimed")
    with claim:
        if record_mark(store, planned) != job.mark:
            found = finished_by_another(store, planned)
            if found is not None:
                return found
        started, parts = time.perf_counter(), _Parts()
        try:
            reason = _compute(job, parts, tell)
            record = _record(job, "skipped" if reason else "ok", reason, None, parts)
        except (StorageError, PlanOutdated):
            raise  # no fault of the cell: it will succeed once there is room, or under the plan made anew
        except Exception as error:
            if out_of_memory(error) and not job.alone:
                return Outcome("memory")
            record = _failure(job, error, parts)
        store.put(record, parts.y, parts.probabilities)
        if job.keep_networks and parts.predictor is not None:
            _save(job, parts.predictor)  # a run that discards networks may have deleted them while no record named them
        CheckpointStore(job.out).discard_cell(planned.identity_hash)
    warning = restore_threads(planned.identity["threads"])
    seconds = time.perf_counter() - started
    return Outcome(record.status, record.reason or "", seconds, record.scores.get("accuracy"), warning)


def _failure(job: Job, error: Exception, parts: _Parts) -> CellRecord:
    """The record of a cell that failed: what its trainings cost is kept."""
    trace = reduce_paths("".join(traceback.format_exception(error)))
    parts.scores, parts.diagnostics, parts.networks, parts.predictor = {}, {}, [], None
    parts.y, parts.probabilities = None, None
    return _record(job, "failed", reduce_paths(_one_line(error)), trace, parts)


def failed_record(job: Job, reason: str, trace: str | None) -> CellRecord:
    """The record of a cell whose worker did not live to write it."""
    return _record(job, "failed", reason, trace and reduce_paths(trace), _Parts())


def _compute(job: Job, parts: _Parts, tell: Tell) -> str | None:
    """Fill in the parts of the record; return the reason if the method cannot be used here."""
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.costs import PeakMemory
    from ssd_cli.engine.memory import kept_memory
    from ssd_cli.protocol.split import split

    identity = job.planned.identity
    dataset = _dataset(identity["dataset"], job.data_dirs, identity["dataset_digest"])
    training_set, sealed = split(dataset, identity["resample"], Preparation(**identity["preparation"]))
    method = configured_method(identity)
    reason = method.skip(training_set, configured_backbone(identity))
    if reason:
        return reason
    with PeakMemory() as memory, kept_memory(min(64, training_set.n_cases) * training_set.n_timepoints):
        predictor = _fit(job, method, dataset, training_set, parts, tell)
        tell("testing")
        _evaluate(predictor, sealed, parts)
    parts.costs |= _measured(job, predictor, training_set, memory)
    parts.costs |= plain(predictor.costs)
    parts.diagnostics = plain(dict(predictor.diagnostics))
    parts.networks, parts.predictor = _keep(job, predictor, training_set), predictor
    return None


def _fit(job: Job, method: Method, dataset: Dataset, training_set: TrainingSet, parts: _Parts, tell: Tell) -> Predictor:
    from ssd_cli.methods.base import Predictor
    from ssd_cli.running.companions import workbench_of
    from ssd_cli.training.predict import freeze

    warm_up(job.planned.identity["threads"])
    workbench = workbench_of(job, dataset, training_set, tell)
    started = time.perf_counter()
    try:
        predictor = method.fit(training_set, workbench)
        if not isinstance(predictor, Predictor):
            what = "None" if predictor is None else type(predictor).__name__
            raise SsdBenchError(f"The method '{job.planned.cell.method}' returned {what}, expected a Predictor.")
        for network in _networks(predictor):
            freeze(network)
    finally:
        parts.costs |= workbench.ledger.summary(time.perf_counter() - started)
        parts.curves = [asdict(entry) for entry in workbench.ledger.entries]
    return predictor


def _evaluate(predictor: Predictor, sealed: SealedTest, parts: _Parts) -> None:
    """Open the test set and score; nothing can be trained any more."""
    import numpy as np

    from ssd_cli.metrics import accuracy, agreement, all_scores, disagreement
    from ssd_cli.training.predict import predict_proba

    frozen = not any(network.training or _trainable(network) for network in _networks(predictor))
    X, y = sealed.unseal(frozen)
    started = time.perf_counter()
    members = predictor.member_probabilities(X)
    probabilities = predictor.combine(members)
    if not np.isfinite(probabilities).all():
        raise SsdBenchError(f"{(~np.isfinite(probabilities).all(-1)).sum()} of {len(y)} predictions are no finite numbers.")
    parts.costs["predict_seconds"] = time.perf_counter() - started
    parts.scores = all_scores(y, probabilities)
    if predictor.teacher is not None:
        teacher = predict_proba(predictor.teacher, X)
        parts.scores |= {"teacher_accuracy": accuracy(y, teacher), "teacher_agreement": agreement(teacher, probabilities)}
    if len(members) > 1:
        parts.scores["disagreement"] = disagreement(members)
    parts.y, parts.probabilities = y, probabilities


def _measured(job: Job, predictor: Predictor, training_set: TrainingSet, memory: Any) -> dict[str, Any]:
    from ssd_cli.costs import measure

    return measure(predictor, training_set) | {
        "peak_memory_bytes": memory.peak_bytes,
        "busy_workers": job.busy_workers,
    }


def _keep(job: Job, predictor: Predictor, training_set: TrainingSet) -> list[dict[str, Any]]:
    """Store what the predictor needs and name it, and how to rebuild it; or only count it where networks are not to be kept.

    A predictor with a rule of its own is more than its networks: only its plug-in can rebuild it.
    """
    from ssd_cli.methods.base import Predictor
    from ssd_cli.running.architecture import architecture

    identity = job.planned.identity
    if not job.keep_networks:
        return [{"kept": False} for _ in predictor.networks]
    # An export knows the rule of the package's own methods by their names, and takes plug-ins to predict the mean.
    known = type(predictor) is Predictor and (predictor.combination == "mean" or "plugin_sha256" not in identity["method"])
    return [
        {"kept": True, "sha256": name, "file_bytes": size} | (architecture(network, identity, training_set) if known else {})
        for network, (name, size) in zip(predictor.networks, _save(job, predictor), strict=True)
    ]


def _save(job: Job, predictor: Predictor) -> list[tuple[str, int]]:
    """Keep the weights of a predictor, where they are not there already; return their files' names and sizes."""
    from ssd_cli.training.networks import state_to_arrays

    return [NetworkStore(job.out).save(state_to_arrays(network)) for network in predictor.networks]


def _record(job: Job, status: str, reason: str | None, trace: str | None, parts: _Parts) -> CellRecord:
    return CellRecord(
        cell=job.planned.cell,
        identity=job.planned.identity,
        status=status,
        reason=reason,
        traceback=trace,
        scores=parts.scores,
        costs=parts.costs,
        diagnostics=parts.diagnostics,
        curves=parts.curves,
        networks=parts.networks,
        provenance=provenance(job.planned.identity["threads"], job.command),
    )


@cache
def warm_up(threads: int) -> None:
    """Give torch its number of threads, and load what it loads at the first training, which no cell shall pay."""
    import torch

    from ssd_cli.training.adam import Adam

    torch.set_num_threads(threads)
    if torch.get_num_threads() != threads:
        raise SsdBenchError(f"torch uses {torch.get_num_threads()} threads instead of {threads}.", "", "Use --threads 1.")
    weight = torch.zeros(1, 1, 3, requires_grad=True)
    optimiser = Adam([weight], fused=True)
    torch.nn.functional.conv1d(torch.ones(2, 1, 8), weight).sum().backward()
    optimiser.step()


@lru_cache(maxsize=1)
def _dataset(name: str, data_dirs: tuple[Path, ...], digest: str) -> Dataset:
    """The dataset, kept for the next cell of this worker."""
    from ssd_cli.archives.load import load

    dataset = load(name, data_dirs, download=False)
    if dataset.digest != digest:
        raise PlanOutdated(f"The dataset {name} has changed since this run was planned.")
    return dataset


def _networks(predictor: Predictor) -> list[Any]:
    return [*predictor.networks, *([predictor.teacher] if predictor.teacher is not None else [])]


def _trainable(network: Any) -> bool:
    return any(parameter.requires_grad for parameter in network.parameters())


def _one_line(error: Exception) -> str:
    what = error.what if isinstance(error, SsdBenchError) else f"{type(error).__name__}: {error}"
    return " ".join(what.split())[:500] or type(error).__name__
