"""Versions of the program and of its protocol."""

__version__ = "0.1.0"

PROTOCOL_VERSION = 2
"""Increase it whenever the same configuration could give other numbers; results of different versions are never mixed."""
