"""Plan a suite: resolve all names and determine the identity of every cell before anything is computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import as_dict, configure, digest, label, parse_label, slug
from ssd_cli.core.cell_spec import NO_BACKBONE, WITHOUT_BACKBONE, CellSpec, JointCells, NamedConfiguration
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.hardware import devices
from ssd_cli.running.work import DatasetShape, Work, work_of
from ssd_cli.store.record import Cell

if TYPE_CHECKING:
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.registry import Registry
    from ssd_cli.running.executors.base import ReportProgress
    from ssd_cli.running.suite import Suite
    from ssd_cli.training.recipe import ResolvedRecipe


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a plan."""

    cell: Cell
    spec: CellSpec
    group: str  # cells of one group share networks: equal dataset and backbone; equal resample and seed, unless trained jointly
    cost: float = 0.0  # estimated seconds of one worker; networks that earlier cells of the group train cost nothing
    alone: float = 0.0  # estimated seconds without shared networks
    work: Work | None = None  # None for a method without networks, and for a dataset of unknown size (dry run)
    shape: DatasetShape | None = None  # None for a dataset of unknown size (dry run)

    @cached_property
    def key(self) -> str:
        """Name of the cell's claim."""
        return cell_key(self.cell)

    @property
    def identity_hash(self) -> str:
        """SHA-256 (hex) of the identity."""
        return self.spec.identity_hash


@dataclass(frozen=True)
class Plan:
    """The cells of a suite."""

    cells: list[PlannedCell]
    device: str  # "cpu", "cuda" or "mps"; "auto" is resolved
    absent: tuple[str, ...] = ()  # datasets that a dry run does not find on this machine; their digests are empty
    left_out: tuple[str, ...] = ()  # datasets that --only-present leaves out
    done: dict[str, str] = field(default_factory=dict)  # status of the cells that are not computed again, by key (`resume.look`)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)  # states of the records on disk, by key

    @property
    def pending(self) -> list[PlannedCell]:
        """The cells to compute."""
        return [cell for cell in self.cells if cell.key not in self.done]


@dataclass(frozen=True)
class _Choice:
    """A configured method, backbone or recipe."""

    label: str
    slug: str
    named: NamedConfiguration
    configuration: Any


WITHOUT = _Choice(WITHOUT_BACKBONE, WITHOUT_BACKBONE, NO_BACKBONE, None)
"""The backbone in cells of methods without a network."""


def cell_key(cell: Cell) -> str:
    """Return the name of a cell's claim, which depends on the path of its record."""
    return "cell-" + digest([cell.seed, cell.folder, cell.dataset, cell.resample])[:32]


def make_plan(suite: Suite, dry_run: bool, report: ReportProgress | None = None) -> Plan:
    """Plan a suite; a task for a worker, since methods and backbones import torch. A dry run downloads nothing.

    Raise MisuseError for an unknown name, or a parameter that is unknown or has the wrong type. Raise SsdBenchError for an absent
    or damaged dataset.
    """
    from ssd_cli.archives import catalog
    from ssd_cli.archives.load import require
    from ssd_cli.backbones import backbones
    from ssd_cli.methods import methods
    from ssd_cli.training import recipes

    chosen_methods = _distinct(_choose(methods, text) for text in suite.method)
    chosen_backbones = _distinct(_choose(backbones, text) for text in suite.backbone)
    recipe = _choose(recipes, suite.recipe)
    device = _resolve_device(suite.device)
    names, left_out = _present(catalog.select(suite.archive, suite.dataset, suite.data_dir), suite)
    if not dry_run:
        require(names, suite.data_dir, suite.download)
    cells, absent = [], []
    for number, name in enumerate(names, start=1):
        if report is not None:
            report(f"reading dataset {number} of {len(names)}: {name}")
        data_digest = _digest(name, suite, dry_run)
        if not data_digest:
            absent.append(name)
        common = {
            "dataset": name,
            "dataset_digest": data_digest,
            "preparation": preparation_of(name, suite).identity(),
            "device": device,
            "threads": suite.threads,
        }
        shape = _shape(name, suite, bool(data_digest))
        for backbone in [*chosen_backbones, WITHOUT]:
            of_backbone = [method for method in chosen_methods if method.configuration.uses_backbone != (backbone is WITHOUT)]
            execution, together = "plain", None
            if backbone is not WITHOUT:
                filled = recipe.configuration.for_backbone(backbone.configuration)
                execution, together = _execution(backbone.configuration, filled, shape or DatasetShape(1, 1, 1), device, suite)
            common |= {"execution": execution, "together": together}
            for resample, seed, method in itertools.product(suite.resamples, suite.seeds, of_backbone):
                cells.append(_cell(common | {"resample": resample, "seed": seed}, method, backbone, recipe, shape))
    return Plan(cells, device, tuple(absent), tuple(left_out))


def _resolve_device(wanted: str) -> str:
    """Return the kind of device; "auto" is the best device of this machine. An unusable device raises MisuseError."""
    there = devices()
    if wanted not in ("auto", *there):
        what = f"There is no device '{wanted}' that torch can use here."
        raise MisuseError(what, f"Available: {', '.join(there)}.", "Use --device auto.")
    return there[0] if wanted == "auto" else wanted


def _execution(
    backbone: Backbone, recipe: ResolvedRecipe, shape: DatasetShape, device: str, suite: Suite
) -> tuple[str, JointCells | None]:
    """Return the execution of a cell's networks (from the suite or the planner), and the cells of a joint training.

    Raise MisuseError if backbone, device, precision, execution and joint training cannot be combined.
    """
    from ssd_cli.core.executions import Execution, executions
    from ssd_cli.engine.planner import bind, plan
    from ssd_cli.engine.precision import check_execution, check_precision

    check_precision(device, recipe.precision)
    network = backbone.build(shape.n_channels, 2)
    if suite.engine != "auto":
        execution = Execution.of(suite.engine)
        bind(network, execution.convolution)
        check_execution(execution, recipe.precision)
    else:
        execution = plan(network, shape.n_timepoints, device=device, precision=recipe.precision)
    if not suite.together:
        return execution.label, None
    if execution.batching == "off":
        joint = [one.label for one in executions() if one.batching != "off"]
        raise MisuseError(
            f"--together needs joint training, but the execution '{execution.label}' trains one network at a time.",
            f"Expected one of: {', '.join(joint)}.",
            f"Leave --together out, or use --engine {joint[0]} (slower on a CPU).",
        )
    return execution.label, JointCells(suite.resamples, suite.seeds)


def _present(names: list[str], suite: Suite) -> tuple[list[str], list[str]]:
    """Return the datasets to use, and those that ``--only-present`` leaves out."""
    from ssd_cli.archives.locate import locate

    if not suite.only_present:
        return names, []
    present = [name for name in names if locate(name, suite.data_dir) is not None]
    if not present:
        raise SsdBenchError(
            f"None of the {len(names)} datasets is on this machine.",
            "Expected at least one, since --only-present leaves out absent datasets.",
            "See: ssd-bench data download",
        )
    return present, [name for name in names if name not in present]


def preparation_of(name: str, suite: Suite) -> Preparation:
    """Return the rules of the suite; the defaults of the archive replace rules that the suite does not name."""
    from ssd_cli.archives.prepare import default_preparation

    wishes = {key: getattr(suite, key) for key in ("length", "impute", "scale", "label_noise") if getattr(suite, key) is not None}
    return replace(default_preparation(name), **wishes)


def _choose(registry: Registry[Any], text: str) -> _Choice:
    name, parameters = parse_label(text)
    entry = registry.entry(name)
    configuration = configure(registry.get(name), name, parameters)
    versions = configuration.versions() if hasattr(configuration, "versions") else {}
    named = NamedConfiguration(name, as_dict(configuration), entry.plugin_sha256, versions)
    return _Choice(label(name, configuration), slug(name, configuration), named, configuration)


def _distinct(choices: Iterator[_Choice]) -> list[_Choice]:
    """Return each configuration once, in the order of its first occurrence."""
    return list({choice.label: choice for choice in choices}.values())


def _cell(common: dict[str, Any], method: _Choice, backbone: _Choice, recipe: _Choice, shape: DatasetShape | None) -> PlannedCell:
    from ssd_cli.backbones.base import NoBackbone
    from ssd_cli.methods.budget import fill_in
    from ssd_cli.methods.recording import record_trainings
    from ssd_cli.training.predict import cases_at_once

    builder = NoBackbone() if backbone is WITHOUT else backbone.configuration
    filled = fill_in(recipe.configuration, builder, method.configuration, method.label)
    recorded = record_trainings(method.configuration, builder, filled)
    shuffled = recorded.refreshes_batch_norm and shape is not None and shape.n_cases > cases_at_once(shape.n_timepoints)
    spec = CellSpec(
        **common,
        method=method.named,
        backbone=backbone.named,
        recipe=NamedConfiguration(recipe.named.name, filled.identity()),
        batch_norm="shuffled" if shuffled else "",
    )
    folder = f"{method.slug}@{backbone.slug}"
    cell = Cell(spec.dataset, method.label, backbone.label, recipe.label, spec.resample, spec.seed, folder)
    group = f"{cell.dataset} {backbone.label}" + ("" if spec.together else f" {cell.resample} {cell.seed}")
    if shape is None or backbone is WITHOUT:
        return PlannedCell(cell, spec, group, shape=shape)
    counted = filled.for_cases(shape.n_cases)
    if counted is not filled:  # the trainings of this dataset, which are shorter than the longest
        recorded = record_trainings(method.configuration, builder, counted)
    work = work_of(recorded, builder, counted, shape, spec)
    return PlannedCell(cell, spec, group, work=work, shape=shape)


def _digest(name: str, suite: Suite, dry_run: bool) -> str:
    from ssd_cli.archives.load import digest_of
    from ssd_cli.archives.locate import locate

    if dry_run and locate(name, suite.data_dir) is None:
        return ""
    return digest_of(name, suite.data_dir, suite.download)


def _shape(name: str, suite: Suite, here: bool) -> DatasetShape | None:
    """Return the shape of the archive's split; None if neither the catalogue nor this machine has it."""
    from ssd_cli.archives import catalog
    from ssd_cli.archives.load import load

    size = catalog.size(name)
    if size is not None and size.n_train and size.n_channels and size.n_timepoints and size.n_classes:
        return DatasetShape(size.n_train, size.n_channels, size.n_timepoints, size.n_test or 0, size.n_classes)
    if not here:
        return None
    dataset = load(name, suite.data_dir, download=False)
    train = dataset.train
    return DatasetShape(train.n_cases, train.n_channels, int(train.lengths.max()), dataset.test.n_cases, len(dataset.classes))
