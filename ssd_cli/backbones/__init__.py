"""The networks under comparison: they know no dataset and no training."""

from ssd_cli.backbones.registry import backbones

__all__ = ["backbones"]
