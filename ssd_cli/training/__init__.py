"""The training loop that every method shares, and the registry of recipes, whose import does not import torch."""

from typing import Any

from ssd_cli.registry import Registry

recipes: Registry[Any] = Registry("recipe", "ssd_cli.training.recipe", pluggable=False)
