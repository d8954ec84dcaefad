"""The compared networks and their registry, whose import does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssd_cli.registry import Registry

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone

backbones: Registry[Backbone] = Registry("backbone", "ssd_cli.backbones")
