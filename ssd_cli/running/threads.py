"""Never more threads than cores: what is looked at before a run, and what is put right during one.

Two processes with two threads each on two cores are nine times slower than they should be: threads of a numerical library wait for
each other in a loop that keeps the core busy.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ssd_cli.running.suite import available_cores

if TYPE_CHECKING:
    from ssd_cli.running.suite import Suite

_BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that bind threads to cores, the first thread of every process to the same one."""


def warnings_before(suite: Suite, environment: Mapping[str, str]) -> list[str]:
    """What will make the workers of a run stand in each other's way.

    Parameters
    ----------
    suite : Suite
    environment : mapping of str to str
        Environment variables of the command.
    """
    found = []
    cores = available_cores()
    if suite.n_workers * suite.threads > cores and suite.device in ("auto", "cpu"):
        found.append(
            f"{suite.n_workers} workers with {suite.threads} threads each on {cores} cores slow each other down; "
            f"--workers {max(1, cores // suite.threads)} is faster."
        )
    bound = [name for name in _BINDING if environment.get(name, "").lower() not in ("", "false", "disabled", "none")]
    if bound and suite.n_workers > 1:
        found.append(f"{' and '.join(bound)} binds the threads of every worker to the same cores: unset it, or use --workers 1.")
    return found


def put_right(threads: int) -> str:
    """Give torch its threads back where a method or a library has changed their number; a warning, or an empty text."""
    torch = sys.modules.get("torch")
    if torch is None or torch.get_num_threads() == threads:
        return ""
    changed = torch.get_num_threads()
    torch.set_num_threads(threads)
    return f"it changed the threads of torch from {threads} to {changed}, which slows other workers down; they are set back"
