"""From the identity of a cell back to what it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ssd_cli.errors import SsdBenchError
from ssd_cli.store import record

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.methods.base import Method
    from ssd_cli.registry import Registry
    from ssd_cli.training.recipe import Recipe

T = TypeVar("T")

NO_BACKBONE: dict[str, Any] = {"name": record.NO_BACKBONE, "parameters": {}}
"""In the identities of the cells of methods that have no network."""


class PlanOutdated(SsdBenchError):
    """What was planned is there no longer: no fault of the cell, and the same command plans anew."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "", "Run the same command again: the plan is made anew.")
        self.args = (what,)


def configured_method(identity: dict[str, Any]) -> Method:
    """The method of a cell's identity."""
    from ssd_cli.methods.registry import methods

    return _configured(methods, identity["method"])


def configured_backbone(identity: dict[str, Any]) -> Backbone:
    """The backbone of a cell's identity; one that builds nothing for a method without networks."""
    from ssd_cli.backbones.base import NoBackbone
    from ssd_cli.backbones.registry import backbones

    return NoBackbone() if identity["backbone"] == NO_BACKBONE else _configured(backbones, identity["backbone"])


def configured_recipe(identity: dict[str, Any]) -> Recipe:
    """The recipe of a cell's identity, filled in for its backbone."""
    from ssd_cli.training.registry import recipes

    return _configured(recipes, identity["recipe"])


def _configured(registry: Registry[T], identity: dict[str, Any]) -> T:
    """What an identity names, as the file that it was planned with defines it."""
    name = identity["name"]
    if registry.entry(name).plugin_sha256 != identity.get("plugin_sha256", ""):
        raise PlanOutdated(f"The plug-in of the {registry.kind} '{name}' has changed since this run was planned.")
    return registry.get(name)(**identity["parameters"])
