"""From a suite to cells: every name resolved, every identity fixed, before anything is computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ssd_cli.configuration import as_dict, configure, digest, label, parse_label, slug
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.configured import NO_BACKBONE
from ssd_cli.running.device import execution_of, resolve_device
from ssd_cli.running.work import Shape, Work, work_of
from ssd_cli.store import record
from ssd_cli.store.record import Cell, plain

if TYPE_CHECKING:
    from ssd_cli.archives.prepare import Preparation
    from ssd_cli.registry import Registry
    from ssd_cli.running.suite import Suite


@dataclass(frozen=True)
class PlannedCell:
    """A cell that a run is to have.

    Parameters
    ----------
    cell : Cell
    identity : dict
        Everything that decides the numbers, as it goes into the record.
    group : str
        Cells of one group share networks, or passes in which networks are trained: same dataset and backbone, and the same resample
        and seed where these are trained apart.
    cost : float
        Estimated seconds of one worker; networks that cells before it in its group train cost nothing (`cost_model.price`).
    alone : float
        The same as if nobody shared.
    work : Work, optional
        What both are estimated from; None for a method without networks, and in a dry run for a dataset of unknown size.
    """

    cell: Cell
    identity: dict[str, Any]
    group: str
    cost: float = 0.0
    alone: float = 0.0
    work: Work | None = None

    @cached_property
    def key(self) -> str:
        """Name of the cell's claim."""
        return cell_key(self.cell)

    @cached_property
    def identity_hash(self) -> str:
        """SHA-256 (hex) of the identity, as a record has it."""
        return digest(plain(self.identity))


@dataclass(frozen=True)
class Plan:
    """The cells of a suite.

    Parameters
    ----------
    cells : list of PlannedCell
    device : str
        "cpu", "cuda" or "mps"; "auto" resolved.
    absent : tuple of str
        Datasets that are not on this machine yet; only a dry run leaves them so. Their cells' digests are empty.
    left_out : tuple of str
        Datasets that the user wants left out because they are not on this machine.
    done : dict of str to str
        Status ("ok", "failed", "skipped") of the cells, by key, that need not be computed (`resume.look`).
    marks : dict of str to tuple
        State on disk of the records, by key, that are there now; where it changes, another run was faster.
    """

    cells: list[PlannedCell]
    device: str
    absent: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    done: dict[str, str] = field(default_factory=dict)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def pending(self) -> list[PlannedCell]:
        """The cells to compute."""
        return [cell for cell in self.cells if cell.key not in self.done]


@dataclass(frozen=True)
class _Choice:
    """A configured method, backbone or recipe."""

    label: str
    slug: str
    identity: dict[str, Any]
    configuration: Any


WITHOUT = _Choice(record.NO_BACKBONE, record.NO_BACKBONE, NO_BACKBONE, None)
"""Of the cells of methods that have no network."""


def cell_key(cell: Cell) -> str:
    """Name of a cell's claim: it depends on where the record lies."""
    return "cell-" + digest([cell.seed, cell.folder, cell.dataset, cell.resample])[:32]


def make_plan(suite: Suite, dry_run: bool, tell: Any = None) -> Plan:
    """Resolve a suite; a task for a worker, since methods and backbones import torch.

    Parameters
    ----------
    suite : Suite
    dry_run : bool
        Download nothing.
    tell : callable, optional
        Told what is being looked at.

    Raises
    ------
    MisuseError
        An unknown name, an unknown or ill-typed parameter.
    SsdBenchError
        A dataset that is absent or damaged.
    """
    from ssd_cli.archives import catalog
    from ssd_cli.archives.fetch import require
    from ssd_cli.backbones.registry import backbones
    from ssd_cli.methods.registry import methods
    from ssd_cli.training.registry import recipes

    chosen_methods = _distinct(_choose(methods, text) for text in suite.method)
    chosen_backbones = _distinct(_choose(backbones, text) for text in suite.backbone)
    recipe = _choose(recipes, suite.recipe)
    device = resolve_device(suite.device)
    names, left_out = _present(catalog.select(suite.archive, suite.dataset, suite.data_dir), suite)
    if not dry_run:
        require(names, suite.data_dir, suite.download)
    cells, absent = [], []
    for number, name in enumerate(names, start=1):
        if tell is not None:
            tell(f"looking at dataset {number} of {len(names)}: {name}")
        data_digest = _digest(name, suite, dry_run)
        if not data_digest:
            absent.append(name)
        common = {
            "dataset": name,
            "dataset_digest": data_digest,
            "preparation": asdict(preparation_of(name, suite)),
            "device": device,
            "threads": suite.threads,
            "protocol_version": PROTOCOL_VERSION,
        }
        shape = _shape(name, suite, bool(data_digest))
        for backbone in [*chosen_backbones, WITHOUT]:
            members = [method for method in chosen_methods if method.configuration.uses_backbone != (backbone is WITHOUT)]
            how = {"execution": "plain"}
            if backbone is not WITHOUT:
                filled = recipe.configuration.for_backbone(backbone.identity["name"])
                how = execution_of(backbone.configuration, filled, shape or Shape(1, 1, 1), device, suite)
            for resample, seed, method in itertools.product(suite.resamples, suite.seeds, members):
                cells.append(_cell(common | how, method, backbone, recipe, resample, seed, shape))
    return Plan(cells, device, tuple(absent), tuple(left_out))


def _present(names: list[str], suite: Suite) -> tuple[list[str], list[str]]:
    """The datasets to use, and those to leave out because they are absent (only where the user asked for that)."""
    from ssd_cli.archives.sources import locate

    if not suite.only_present:
        return names, []
    present = [name for name in names if locate(name, suite.data_dir) is not None]
    if not present:
        raise SsdBenchError(
            f"None of the {len(names)} datasets is on this machine.",
            "--only-present uses what is there.",
            "See: ssd-bench data download",
        )
    return present, [name for name in names if name not in present]


def preparation_of(name: str, suite: Suite) -> Preparation:
    """The archive's default rules, but for what the suite names."""
    from ssd_cli.archives.prepare import default_preparation

    wishes = {key: getattr(suite, key) for key in ("length", "impute", "scale") if getattr(suite, key) is not None}
    return replace(default_preparation(name), **wishes)


def _choose(registry: Registry[Any], text: str) -> _Choice:
    name, parameters = parse_label(text)
    entry = registry.entry(name)
    configuration = configure(registry.get(name), name, parameters)
    identity: dict[str, Any] = {"name": name, "parameters": as_dict(configuration)}
    if entry.plugin_sha256:
        identity["plugin_sha256"] = entry.plugin_sha256
    versions = configuration.versions() if hasattr(configuration, "versions") else {}
    if versions:
        identity["versions"] = versions
    return _Choice(label(name, configuration), slug(name, configuration), identity, configuration)


def _distinct(choices: Iterator[_Choice]) -> list[_Choice]:
    """Each configuration once, in the order in which it was first named."""
    return list({choice.label: choice for choice in choices}.values())


def _cell(
    common: dict[str, Any], method: _Choice, backbone: _Choice, recipe: _Choice, resample: int, seed: int, shape: Shape | None
) -> PlannedCell:
    from ssd_cli.methods.budget import fill_in
    from ssd_cli.methods.recording import record_trainings
    from ssd_cli.training.predict import cases_at_once

    filled = fill_in(recipe.configuration, backbone.identity["name"], backbone.configuration, method.configuration, method.label)
    recorded = record_trainings(method.configuration, backbone.configuration, filled)
    cell = Cell(
        dataset=common["dataset"],
        method=method.label,
        backbone=backbone.label,
        recipe=recipe.label,
        resample=resample,
        seed=seed,
        folder=f"{method.slug}@{backbone.slug}",
    )
    identity = {
        **common,
        "method": method.identity,
        "backbone": backbone.identity,
        "recipe": {"name": recipe.identity["name"], "parameters": filled.identity()},
        "resample": resample,
        "seed": seed,
    }
    if recorded.refreshes_batch_norm and shape is not None and shape.n_cases > cases_at_once(shape.n_timepoints):
        identity["batch_norm"] = "shuffled"  # `Workbench.refresh_batch_norm`; records made before it shuffled have no such entry
    group = f"{cell.dataset} {backbone.label}" + ("" if "together" in common else f" {resample} {seed}")
    if backbone is WITHOUT or shape is None:
        return PlannedCell(cell, identity, group)
    return PlannedCell(cell, identity, group, work=work_of(method.configuration, backbone.configuration, filled, shape, identity))


def _digest(name: str, suite: Suite, dry_run: bool) -> str:
    from ssd_cli.archives.load import digest_of
    from ssd_cli.archives.sources import locate

    if dry_run and locate(name, suite.data_dir) is None:
        return ""
    return digest_of(name, suite.data_dir, suite.download)


def _shape(name: str, suite: Suite, here: bool) -> Shape | None:
    """Shape of the archive's split; None where neither the catalogue nor this machine knows it."""
    from ssd_cli.archives import catalog
    from ssd_cli.archives.load import load

    size = catalog.size(name)
    if size is not None and size.n_train and size.n_channels and size.n_timepoints:
        return Shape(size.n_train, size.n_channels, size.n_timepoints, size.n_test or 0)
    if not here:
        return None
    dataset = load(name, suite.data_dir, download=False)
    train, test = dataset.train, dataset.test
    return Shape(train.n_cases, train.n_channels, int(train.lengths.max()), test.n_cases)
