"""Measure the costs of a predictor (parameters, multiply-accumulates, bytes, latency) and the peak memory of a cell."""

from ssd_cli.costs.measure import PeakMemory, measure

__all__ = ["PeakMemory", "measure"]
