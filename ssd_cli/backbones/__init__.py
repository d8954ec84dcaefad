"""The networks under comparison; they import nothing about datasets and training."""

from ssd_cli.backbones.registry import backbones

__all__ = ["backbones"]
