"""Describe this machine's hardware, for the records of measured times."""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path


def cpu_features() -> str:
    """Return a digest of the first core's family, model, stepping and instruction sets: names of virtual processors say little."""
    if sys.platform != "linux":
        return ""
    first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    told = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU implementer", "CPU part", "CPU revision")
    lines = [line for line in first.splitlines() if line.partition(":")[0].strip() in told]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def cpu_model() -> str:
    """Return the processor's name."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def devices() -> list[str]:
    """Return the kinds of devices that torch can use here, the fastest first."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, is_there in there.items() if is_there]
