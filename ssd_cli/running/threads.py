"""Keep the number of threads at the number of cores: check it before a run, and restore it during the run.

Two processes with two threads each take nine times as long on two cores, since the threads of a numerical library wait for each
other in busy loops.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ssd_cli.running.suite import available_cores

if TYPE_CHECKING:
    from ssd_cli.running.suite import Suite

_BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that bind threads to cores, the first thread of every process to the same core."""


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that numerical libraries read when they are loaded."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM", "BLIS")
    return {f"{name}_NUM_THREADS": str(threads) for name in names}


def warnings_before(suite: Suite, environment: Mapping[str, str]) -> list[str]:
    """Return a warning for each setting or environment variable that makes the workers of a run slow each other down."""
    found, cores = [], available_cores()
    if suite.n_workers * suite.threads > cores and suite.device in ("auto", "cpu"):
        found.append(
            f"{suite.n_workers} workers with {suite.threads} threads each on {cores} cores slow each other down; "
            f"--workers {max(1, cores // suite.threads)} is faster."
        )
    bound = [name for name in _BINDING if environment.get(name, "").lower() not in ("", "false", "disabled", "none")]
    if bound and suite.n_workers > 1:
        found.append(f"{' and '.join(bound)} binds the threads of every worker to the same cores: unset it, or use --workers 1.")
    return found


def restore_threads(threads: int) -> str:
    """Reset the threads of torch if a method or a library has changed them; return a warning, or an empty text."""
    torch = sys.modules.get("torch")
    if torch is None or torch.get_num_threads() == threads:
        return ""
    changed = torch.get_num_threads()
    torch.set_num_threads(threads)
    return f"it changed the threads of torch from {threads} to {changed}, which slows other workers down; they were reset"
