"""What a process needs for a first small training, without torch's compiler and with it (`ssd_cli.training.adam`).

    python benchmarks/start_speed.py [--rounds N] [-o results/speed/start.txt]

Fresh processes take turns: each trains LITE for one epoch on GunPoint, which aeon bundles, and measures what the network costs.
In one of the two torch's own Adam takes a step first, which loads the compiler. Processor time and peak memory are those of the
whole process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from machine import describe, sentence

from ssd_cli.errors import SsdBenchError

TRAINING = """
from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import Preparation
from ssd_cli.backbones import backbones
from ssd_cli.costs import measure
from ssd_cli.methods import methods
from ssd_cli.protocol.split import split
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.workbench import Workbench
training_set, _ = split(load("GunPoint", [], download=False), 0, Preparation())
bench = Workbench(training_set, backbones.get("lite")(), {"name": "lite"}, Recipe(epochs=1).for_backbone("lite"), 0)
measure(methods.get("single")().fit(training_set, bench), training_set)
"""
TORCHS_ADAM = """
import torch
weight = torch.zeros(1, requires_grad=True)
weight.grad = torch.zeros(1)
torch.optim.Adam([weight]).step()
"""
COLUMNS = {"without": TRAINING, "with": TORCHS_ADAM + TRAINING}


def spent(script: str) -> tuple[float, float]:
    """Processor seconds and peak MB of a fresh process."""
    process = subprocess.Popen([sys.executable, "-c", script])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SsdBenchError("A process failed; its own message stands above.")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    machine = describe()
    rounds = [{name: spent(script) for name, script in COLUMNS.items()} for _ in range(options.rounds + 1)][1:]
    lines = [
        machine["command"],
        sentence(machine),
        f"Medians of {options.rounds} processes each, which take turns: imports, GunPoint read, one epoch of LITE, its costs.",
        "",
        "torch's compiler  processor time  peak memory",
    ]
    for name in COLUMNS:
        seconds, megabytes = (statistics.median(one[name][part] for one in rounds) for part in (0, 1))
        lines.append(f"{name:16}  {seconds:12.2f} s  {megabytes:8.0f} MB")
    ratio = statistics.median(one["with"][0] / one["without"][0] for one in rounds)
    lines.append(f"Processor time with it / without it: {ratio:.2f}, the median of {options.rounds} pairs.")
    print("\n".join(lines))
    if options.output is not None:
        options.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
