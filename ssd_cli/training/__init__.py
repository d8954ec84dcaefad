"""The training loop that every method shares, and the registry of recipes, whose import does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssd_cli.registry import Registry

if TYPE_CHECKING:
    from ssd_cli.training.recipe import Recipe

recipes: Registry[Recipe] = Registry("recipe", "ssd_cli.training.recipe", pluggable=False)
