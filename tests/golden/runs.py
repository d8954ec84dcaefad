"""The runs whose results are golden, as options of ``ssd-bench run``, and the program that executes them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
METHODS = [
    "ban-ens-k",
    "ban-k",
    "drg",
    "drg-dsr",
    "dsr",
    "ema",
    "embed-distill",
    "ens-avg[members=3]",
    "ens-kd",
    "ens-vote[members=3]",
    "feat-kd",
    "fge",
    "finetune",
    "kd",
    "kd-small",
    "ls",
    "single",
    "single-dropout",
    "single-small",
    "snapshot",
    "soup-greedy",
    "soup-uniform",
    "ssd",
    "ssd-filter",
    "ssd-label-guided",
    "ssd-legacy",
    "ssd-mid",
    "ssd-random-k",
    "ssd-small",
    "ssd-topk",
    "ssd-uniform",
    "ssd-weight",
    "swa",
    "tfkd-reg",
]
EXTERNAL = ["1nn-dtw", "dummy", "hydra", "minirocket"]
BACKBONES = ["fcn", "h-inception", "inception", "lite", "resnet"]
INCEPTIONS = ["inception[width=4]", "h-inception[width=4]"]
SMALL = ["lite[width=8]", "fcn[width=8]", "resnet[width=8]"]
SHORT = "smoke[batch_size=6]"
FEW = ["single", "ssd", "ens-avg[members=2]"]


def _run(methods, backbones=("lite",), datasets=("Waves",), recipe=SHORT, *more):
    options = [("--dataset", one) for one in datasets] + [("--method", one) for one in methods]
    options += [("--backbone", one) for one in backbones] + [("--recipe", recipe)]
    return [*(part for pair in options for part in pair), *more]


RUNS = {
    "methods on inception": _run(METHODS, INCEPTIONS),
    "methods on lite, fcn and resnet": _run(METHODS, SMALL),
    "external classifiers": _run(EXTERNAL),
    "execution plain": _run(["single"], BACKBONES, ("Waves",), SHORT, "--engine", "plain"),
    "execution fast": _run(["single"], BACKBONES, ("Waves",), SHORT, "--engine", "fast"),
    "execution bilinear": _run(["single"], ["fcn", "inception", "resnet"], ("Waves",), SHORT, "--engine", "bilinear"),
    "execution batched": _run(["single", "ens-avg[members=2]"], [*SMALL, *INCEPTIONS], ("Waves",), SHORT, "--engine", "batched"),
    "execution graph": _run(["single", "ens-avg[members=2]"], [*SMALL, *INCEPTIONS], ("Waves",), SHORT, "--engine", "graph"),
    "together": _run(
        ["ens-avg[members=2]", "soup-uniform", "ssd"],
        SMALL[:2],
        ("Waves",),
        SHORT,
        *("--engine", "batched", "--together", "--resamples", "2", "--seeds", "2"),
    ),
    "other series": _run(FEW, [*SMALL[:2], INCEPTIONS[0]], ("Pairs", "Ragged", "Gaps", "Subjects"), SHORT, "--resamples", "1,"),
    "unequal lengths and gaps": _run(["single"], SMALL[:1], ("Ragged", "Gaps"), SHORT, *["--length", "noise", "--impute", "mean"]),
    "recipe paper": _run([*FEW, "swa"], SMALL[:1], ("Waves",), "paper[epochs=5,student_epochs=3]", "--seeds", "1,"),
    "methods that average": _run(
        ["swa[start=0.4]", "fge[start=0.4,cycle=2]", "snapshot[cycles=3]", "ema", "soup-uniform", "soup-greedy"],
        SMALL[:1],
        ("Waves",),
        "fast[epochs=10,batch_size=6]",
    ),
    "recipe of equal compute": _run(FEW, SMALL[:1], ("Waves",), "smoke[epochs=4,budget=equal-compute,precision=fp64]"),
}
"""By name; ``_command`` adds the folders and what all have in common."""

_EXECUTIONS = {
    "plain": (*SMALL, *INCEPTIONS),
    "fast": (*SMALL, *INCEPTIONS),
    "bilinear": (SMALL[1], SMALL[2], INCEPTIONS[0]),
    "batched": (*SMALL, *INCEPTIONS),
    "graph": (*SMALL, *INCEPTIONS),
}
LONG_RUNS = {
    f"all methods, {execution}": _run(METHODS, backbones, ("Waves",), SHORT, "--engine", execution)
    for execution, backbones in _EXECUTIONS.items()
}
"""Every triple of backbone, execution and method, for ``make torture``."""


def command(*arguments):
    """Return a command line of the package."""
    return [sys.executable, "-m", "ssd_cli", *map(str, arguments)]


def environment(root=ROOT, **more):
    """Return the environment of a command: the package of one checkout, one thread, and none of the user's data."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSD_BENCH", "AEON", "GITHUB"))}
    return kept | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "COLUMNS": "200"} | more


def call(*arguments, root=ROOT, cwd=None, **variables):
    """Run a command of the package in a process of its own and return the finished process."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(root, **variables), capture_output=True, text=True, timeout=1500, check=False
    )


def execute(options, data, out, root=ROOT, device="cpu", **variables):
    """Run ``ssd-bench run`` on one worker of one thread, and raise where a command fails."""
    fixed = ("--data-dir", data, "--out", out, "--workers", 1, "--threads", 1, "--device", device, "--no-download")
    done = call("run", *options, *fixed, root=root, **variables)
    if done.returncode != 0:
        raise RuntimeError(f"{done.args} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return out
