"""Compute one cell and write its record. Only this file opens a test set, after the predictor is frozen."""

from __future__ import annotations

import itertools
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import plain
from ssd_cli.core.atomic import StorageError, writing_to
from ssd_cli.core.cell_spec import differences
from ssd_cli.core.claims import Claims
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.executors.base import ReportProgress
from ssd_cli.running.job import Job, Outcome
from ssd_cli.running.networks import save_weights, store_networks
from ssd_cli.running.packing import out_of_memory, releasing
from ssd_cli.running.plan import PlannedCell
from ssd_cli.running.provenance import made_with, program, provenance, reduce_paths
from ssd_cli.running.resume import record_mark
from ssd_cli.running.threads import restore_threads
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore
from ssd_cli.training.build import PlanOutdated, build_backbone, build_context, build_workbench, configured

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ssd_cli.archives.dataset import Dataset
    from ssd_cli.core.cell_spec import CellSpec
    from ssd_cli.methods.base import Method, Predictor
    from ssd_cli.protocol.containers import SealedTest, TrainingSet
    from ssd_cli.training.context import TrainingContext


@dataclass
class CellResults:
    """The results of a cell so far; the record of a failed cell contains some of them."""

    scores: dict[str, float] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    curves: list[dict[str, Any]] = field(default_factory=list)
    networks: list[dict[str, Any]] = field(default_factory=list)
    predictor: Predictor | None = None
    y: npt.NDArray[np.int64] | None = None
    probabilities: npt.NDArray[np.float64] | None = None


def finished_by_another(store: ResultStore, planned: PlannedCell) -> Outcome | None:
    """Return the outcome of a cell that another run has computed in the meantime, or None; the identities must be equal."""
    found = store.read(planned.cell)
    if found is None:
        return None
    if found.identity_hash != planned.identity_hash:
        raise SsdBenchError(
            f"Another run with another configuration writes into {store.root} at the same time: {planned.cell}.",
            "\n".join(differences(found.spec, planned.spec)),
            "Use another --out for one of them.",
        )
    return Outcome(found.status, found.reason or "", 0.0, found.scores.get("accuracy"))


@releasing()
def execute(job: Job, report: ReportProgress) -> Outcome:
    """Claim a cell, compute it, and write its record; a task for a worker.

    An error in the cell becomes a record with the status "failed". Only a full disk or an outdated plan raises an error.
    """
    store, planned = ResultStore(job.out), job.planned
    with writing_to(job.out):
        claim = Claims(job.out / ".claims").take(planned.key, str(planned.cell))
    if claim is None:
        return Outcome("claimed")
    with claim:
        if record_mark(store, planned) != job.mark and (found := finished_by_another(store, planned)) is not None:
            return found
        started, parts = time.perf_counter(), CellResults()
        try:
            reason = compute(job, parts, report)
            record = cell_record(job, "skipped" if reason else "ok", reason, None, parts)
        except (StorageError, PlanOutdated):
            raise  # the cell can succeed once the disk has room, or under a new plan
        except Exception as error:
            if out_of_memory(error) and not job.alone:
                return Outcome("memory")
            parts = CellResults(costs=parts.costs, curves=parts.curves)  # costs and curves of the trainings
            record = cell_record(job, "failed", _one_line(error), "".join(traceback.format_exception(error)), parts)
        store.put(record, parts.y, parts.probabilities)
        if job.keep_networks and parts.predictor is not None:
            save_weights(job, parts.predictor)  # another run may have discarded the networks before a record named them
        CheckpointStore(job.out).discard_cell(planned.identity_hash)
    warning = restore_threads(planned.spec.threads)
    seconds = time.perf_counter() - started
    return Outcome(record.status, record.reason or "", seconds, record.scores.get("accuracy"), warning)


def compute(job: Job, parts: CellResults, report: ReportProgress) -> str | None:
    """Fill in the results; return the reason if the method cannot be used with this training set."""
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.costs import PeakMemory, measure
    from ssd_cli.engine.memory import kept_memory
    from ssd_cli.methods import methods
    from ssd_cli.protocol.split import split

    spec = job.planned.spec
    dataset = _dataset(spec.dataset, job.data_dirs, spec.dataset_digest)
    drawn, sealed = split(dataset, spec.resample, Preparation(**spec.preparation))
    training_set = _with_noise(drawn, spec)
    method = configured(methods, spec.method)
    reason = method.skip(training_set, build_backbone(spec))
    if reason:
        return reason
    with PeakMemory() as memory, kept_memory(min(64, training_set.n_cases) * training_set.n_timepoints):
        predictor = _fit(job, method, dataset, training_set, parts, report)
        report("testing")
        _evaluate(predictor, sealed, parts)
        if method.fits_labels and predictor.networks:
            parts.scores |= training_scores(predictor, training_set, job.fitted)
    parts.costs |= measure(predictor, training_set)
    parts.costs |= {"peak_memory_bytes": memory.peak_bytes, "busy_workers": job.busy_workers} | plain(predictor.costs)
    parts.diagnostics = plain(dict(predictor.diagnostics))
    parts.networks, parts.predictor = store_networks(job, predictor, training_set), predictor
    return None


def _fit(
    job: Job, method: Method, dataset: Dataset, training_set: TrainingSet, parts: CellResults, report: ReportProgress
) -> Predictor:
    from ssd_cli.methods.base import Predictor
    from ssd_cli.training.predict import freeze
    from ssd_cli.training.stopwatch import Stopwatch

    spec = job.planned.spec
    warm_up(spec.threads)
    options: dict[str, Any] = {
        "networks": NetworkStore(job.out),
        "checkpoints": CheckpointStore(job.out, made_with()) if spec.device == "cpu" else None,
        "on_epoch": report,
        "program": program(),
    }
    others = partial(_other_contexts, spec, dataset, training_set, options)
    workbench = build_workbench(spec, training_set, others=others, **options)
    stopwatch = Stopwatch(spec.device)
    try:
        predictor = method.fit(training_set, workbench)
        if not isinstance(predictor, Predictor):
            what = "None" if predictor is None else type(predictor).__name__
            raise SsdBenchError(f"The method '{job.planned.cell.method}' returned {what}, expected a Predictor.")
        for network in _networks(predictor):
            freeze(network)
    finally:
        parts.costs |= workbench.ledger.summary(stopwatch.read(), spec.device)
        parts.curves = [asdict(entry) for entry in workbench.ledger.entries]
    return predictor


def _other_contexts(spec: CellSpec, dataset: Dataset, training_set: TrainingSet, options: dict[str, Any]) -> list[TrainingContext]:
    """Build the contexts of the cells trained jointly with a cell, from the training set and the options of this cell."""
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.protocol.split import split

    if spec.together is None:
        return []
    parts = {} if spec.preparation.get("label_noise") else {spec.resample: training_set}
    for k in spec.together.resamples:
        with suppress(SsdBenchError):  # the resample cannot be drawn; the records of its cells state the reason
            parts[k] = parts.get(k) or split(dataset, k, Preparation(**spec.preparation))[0]
    cells = itertools.product(spec.together.resamples, spec.together.seeds)
    others = [(k, seed) for k, seed in cells if k in parts and (k, seed) != (spec.resample, spec.seed)]
    specs = [replace(spec, resample=k, seed=seed) for k, seed in others]
    return [build_context(one, _with_noise(parts[one.resample], one), **options) for one in specs]


def _with_noise(training_set: TrainingSet, spec: CellSpec) -> TrainingSet:
    """Return the training set of a cell; where its preparation has label noise, with labels by the random stream of its seed."""
    from ssd_cli.protocol.label_noise import with_label_noise
    from ssd_cli.training.seeds import CellSeeds

    share = spec.preparation.get("label_noise", 0.0)
    seed = CellSeeds(spec.seed, spec.dataset, spec.resample).sub_seed("label noise")
    return with_label_noise(training_set, share, seed) if share else training_set


def _evaluate(predictor: Predictor, sealed: SealedTest, parts: CellResults) -> None:
    """Open the test set and compute the scores. No network can be trained from here on."""
    import numpy as np

    from ssd_cli.metrics import accuracy, agreement, all_scores, disagreement
    from ssd_cli.training.predict import predict_proba

    frozen = not any(one.training or any(part.requires_grad for part in one.parameters()) for one in _networks(predictor))
    X, y = sealed.unseal(frozen)
    started = time.perf_counter()
    members = predictor.member_probabilities(X)
    probabilities = predictor.combine(members)
    if not np.isfinite(probabilities).all():
        raise SsdBenchError(f"{(~np.isfinite(probabilities).all(-1)).sum()} of {len(y)} predictions are not finite numbers.")
    parts.costs["predict_seconds"] = time.perf_counter() - started
    parts.scores = all_scores(y, probabilities)
    if predictor.teacher is not None:
        teacher = predict_proba(predictor.teacher, X)
        parts.scores |= {"teacher_accuracy": accuracy(y, teacher), "teacher_agreement": agreement(teacher, probabilities)}
    if len(members) > 1:
        parts.scores["disagreement"] = disagreement(members)
    parts.y, parts.probabilities = y, probabilities


def training_scores(predictor: Predictor, training_set: TrainingSet, fitted: float) -> dict[str, float]:
    """Return the lowest accuracy of a network on the training cases, and 1 or 0 for whether it reaches `fitted`."""
    from ssd_cli.metrics import accuracy
    from ssd_cli.training.predict import predict_proba

    lowest = min(accuracy(training_set.y, predict_proba(network, training_set.X)) for network in predictor.networks)
    return {"training_accuracy": lowest, "converged": float(lowest >= fitted)}


def cell_record(job: Job, status: str, reason: str | None, trace: str | None, parts: CellResults) -> CellRecord:
    """Return the record of a cell with these results; the paths of a traceback are shortened."""
    cell, spec, trace = job.planned.cell, job.planned.spec, trace and reduce_paths(trace)
    found = {name: getattr(parts, name) for name in ("scores", "costs", "diagnostics", "curves", "networks")}
    return CellRecord(cell, spec, status, reason, trace, **found, provenance=provenance(spec.threads, job.command))


@cache
def warm_up(threads: int) -> None:
    """Set the threads of torch, and load its lazy modules, so that no cell's time includes the loading."""
    import torch

    from ssd_cli.training.adam import Adam

    torch.set_num_threads(threads)
    if torch.get_num_threads() != threads:
        raise SsdBenchError(
            f"torch uses {torch.get_num_threads()} threads.", f"Expected {threads}, as --threads requires.", "Use --threads 1."
        )
    weight = torch.zeros(1, 1, 3, requires_grad=True)
    optimiser = Adam([weight], fused=True)
    torch.nn.functional.conv1d(torch.ones(2, 1, 8), weight).sum().backward()
    optimiser.step()


@lru_cache(maxsize=1)
def _dataset(name: str, data_dirs: tuple[Path, ...], digest: str) -> Dataset:
    """Load a dataset and cache it for the next cell of this worker."""
    from ssd_cli.archives.load import load

    dataset = load(name, data_dirs, download=False)
    if dataset.digest != digest:
        raise PlanOutdated(f"The dataset {name} has changed since this run was planned.")
    return dataset


def _networks(predictor: Predictor) -> list[Any]:
    return [*predictor.networks, *([predictor.teacher] if predictor.teacher is not None else [])]


def _one_line(error: Exception) -> str:
    what = error.what if isinstance(error, SsdBenchError) else f"{type(error).__name__}: {error}"
    return reduce_paths(" ".join(what.split())[:500] or type(error).__name__)
