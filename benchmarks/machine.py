"""Describe the machine that a benchmark runs on."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil


def describe() -> dict[str, Any]:
    """Return processor, cores, memory, system, load, commit, command and date."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count(),
        "cores_physical": psutil.cpu_count(logical=False),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "commit": _commit(),
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def sentence(machine: dict[str, Any]) -> str:
    """Return the description as a sentence."""
    load = ", ".join(str(value) for value in machine["load_average"])
    return (
        f"{machine['processor']}, {machine['cores']} cores ({machine['cores_physical']} physical), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; load averages at the start {load}; {machine['date']}, "
        f"commit {machine['commit']}."
    )


def _processor() -> str:
    """Return the name of the processor, and its vector instructions for matrix products."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", "").split()
    found = [name for name, flag in (("AVX2", "avx2"), ("AVX512", "avx512f"), ("AMX", "amx_tile")) if flag in flags]
    return " ".join([fields.get("model name", platform.machine()), *([f"({', '.join(found)})"] if found else [])])


def _commit() -> str:
    """Return the short hash of the checkout, with a plus sign if files have changed."""
    here = Path(__file__).parent
    try:
        git = ["git", "-C", str(here)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")
