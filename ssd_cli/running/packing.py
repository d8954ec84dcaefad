"""Share a device's memory: a cell starts only if its estimated peak and the peaks of the running cells fit together.

The free memory is read once, when the run begins. A cell that runs out of memory is tried once more alone, and then fails.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssd_cli.running.plan import PlannedCell

SHARE = 0.9
"""Share of the free memory that a run uses, since allocators lose some memory to fragmentation."""


class Packing:
    """Decide which cells may run at once, by the bytes of the device (None: not limited) and the estimated peak of each cell."""

    def __init__(self, capacity: int | None = None, needs: Mapping[str, int] | None = None) -> None:
        self._capacity, self._needs = capacity, needs or {}
        self.alone: set[str] = set()  # keys of cells that ran out of memory; they run only while no other cell runs

    def fits(self, cell: PlannedCell, running: Iterable[PlannedCell]) -> bool:
        """Return whether a cell may start while others run; without running cells every cell may start."""
        others = [other.key for other in running]
        if not others:
            return True
        if self.alone.intersection([cell.key, *others]):
            return False
        return self._capacity is None or sum(self._needs.get(key, 0) for key in [cell.key, *others]) <= self._capacity


def look_at_device(cells: Sequence[PlannedCell], report: Callable[[Any], None] | None = None) -> tuple[int, dict[str, int]]:
    """Return the bytes of the CUDA device that a run may use, and the estimated peak of each cell; a task for a worker."""
    import torch

    free, _ = torch.cuda.mem_get_info()
    return int(SHARE * free), needs_of(cells)


def needs_of(cells: Sequence[PlannedCell]) -> dict[str, int]:
    """Estimate the peak bytes of each cell with networks, by key: process, data, and the networks of its largest step."""
    from ssd_cli.core.executions import Execution
    from ssd_cli.engine.footprint import CONTEXT_BYTES, networks_at_once, training_bytes
    from ssd_cli.methods import methods
    from ssd_cli.methods.recording import record_trainings
    from ssd_cli.methods.representations import second_halves_bytes
    from ssd_cli.training.build import build_backbone, build_recipe, configured

    needs = {}
    for cell in cells:
        spec = cell.spec
        if not spec.has_backbone or cell.shape is None:
            continue  # a cell without networks uses the CPU
        n_cases, n_channels, n_timepoints, _, n_classes = cell.shape
        backbone, recipe = build_backbone(spec), build_recipe(spec)
        recorded = record_trainings(configured(methods, spec.method), backbone, recipe)
        batch_size = recipe.batch(n_cases)
        each = training_bytes(backbone, n_channels, n_timepoints, n_classes, batch_size)
        members = 1 if Execution.of(spec.execution).batching == "off" else recorded.joint
        data = 4 * n_cases * n_channels * n_timepoints * (1 + recorded.augmentations)
        if spec.together:
            members *= len(spec.together.resamples) * len(spec.together.seeds)
            data *= 2 * len(spec.together.resamples)  # each training set, and the concatenation of all
        step = each * networks_at_once(members, each)
        if recorded.second_halves:  # of the teacher, while only the student is trained
            halves = second_halves_bytes(backbone, n_channels, n_timepoints, batch_size, recorded.second_halves)
            step = max(step, each + halves)
        needs[cell.key] = CONTEXT_BYTES + data + step
    return needs


def out_of_memory(error: Exception) -> bool:
    """Return whether an error says that a device's memory ran out."""
    import torch

    # If another process holds the memory, CUDA or cuBLAS raises the error, not torch's allocator.
    texts = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)


@contextmanager
def releasing() -> Iterator[None]:
    """When a task ends, free the device memory that torch caches, since other processes need it."""
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            gc.collect()
            torch.cuda.empty_cache()
