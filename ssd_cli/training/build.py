"""Build the backbone, recipe and workbench of a cell from its identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ssd_cli.core.cell_spec import CellSpec, NamedConfiguration
from ssd_cli.core.executions import Execution
from ssd_cli.errors import SsdBenchError

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.registry import Registry
    from ssd_cli.training.context import TrainingContext
    from ssd_cli.training.recipe import ResolvedRecipe
    from ssd_cli.training.workbench import Workbench

T = TypeVar("T")


class PlanOutdated(SsdBenchError):
    """A file has changed since the run was planned. No cell is the cause; the same command plans again."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "", "Run the same command again: it makes a new plan.")
        self.args = (what,)


def build_workbench(
    spec: CellSpec, training_set: TrainingSet, others: Callable[[], Sequence[TrainingContext]] = tuple, **options: Any
) -> Workbench:
    """Build the workbench of a cell; `others` is that of `Workbench`, `options` are stores and observers of `TrainingContext`."""
    from ssd_cli.training.workbench import Workbench

    return Workbench(build_context(spec, training_set, **options), others)


def build_context(spec: CellSpec, training_set: TrainingSet, **options: Any) -> TrainingContext:
    """Build the context of a cell's trainings; see `build_workbench`."""
    from ssd_cli.training.context import TrainingContext

    return TrainingContext(
        training_set,
        build_backbone(spec),
        spec.backbone.to_identity(),
        build_recipe(spec),
        spec.seed,
        device=spec.device,
        execution=Execution.of(spec.execution),
        name=spec.identity_hash,
        **options,
    )


def build_backbone(spec: CellSpec) -> Backbone:
    """Build the backbone of a cell; it is `NoBackbone` for a method without networks."""
    from ssd_cli.backbones import backbones
    from ssd_cli.backbones.base import NoBackbone

    return configured(backbones, spec.backbone) if spec.has_backbone else NoBackbone()


def build_recipe(spec: CellSpec) -> ResolvedRecipe:
    """Build the recipe of a cell, resolved for its backbone."""
    from ssd_cli.training.recipe import ResolvedRecipe

    return ResolvedRecipe.from_identity(spec.recipe.parameters)


def configured(registry: Registry[T], configuration: NamedConfiguration) -> T:
    """Build the object that a configuration names; raise PlanOutdated if the plug-in's file has changed since planning."""
    name = configuration.name
    if registry.entry(name).plugin_sha256 != configuration.plugin_sha256:
        raise PlanOutdated(f"The plug-in of the {registry.kind} '{name}' has changed since this run was planned.")
    return registry.get(name)(**configuration.parameters)
