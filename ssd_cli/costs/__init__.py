"""What a predictor costs: parameters, multiply-accumulates, bytes, latency; and the memory that a cell took."""

from ssd_cli.costs.measure import measure
from ssd_cli.costs.memory import PeakMemory

__all__ = ["PeakMemory", "measure"]
