"""Measure the costs of a predictor (parameters, multiply-accumulates, bytes, latency) and the peak memory of a cell."""

from ssd_cli.costs.measure import measure
from ssd_cli.costs.memory import PeakMemory

__all__ = ["PeakMemory", "measure"]
