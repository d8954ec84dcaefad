"""The methods under comparison: one file, one method."""

from ssd_cli.methods.registry import methods

__all__ = ["methods"]
