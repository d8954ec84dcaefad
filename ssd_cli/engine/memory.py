"""Keep freed memory in the process for the next training step.

A training step allocates and frees the same large maps repeatedly. By default the C library returns blocks above 32 MB to the
system. The system then clears every page at its next use. For Inception on one thread, this takes 3 to 10 % of a step on 64 series
of 427 steps, and half of a step on 1460 steps.

Freed blocks are not always reused completely, so the peak may grow: for Inception not at all on 427 steps, by half on 2709.
Therefore large batches keep no freed memory.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ssd_cli.engine.convolution.recompute import LARGE

# Names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4
_KEEPING = {_M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 64 * 2**20, _M_MMAP_MAX: 0}
# The values of a process that has freed large blocks: glibc raises its thresholds up to these.
_USUAL = {_M_TRIM_THRESHOLD: 64 * 2**20, _M_TOP_PAD: 128 * 2**10, _M_MMAP_THRESHOLD: 32 * 2**20, _M_MMAP_MAX: 65_536}


@contextmanager
def kept_memory(n_steps: int = 0) -> Iterator[bool]:
    """Keep freed memory in this process until the end of the block; yield whether it is kept, which needs glibc.

    Results do not depend on it. `n_steps` is cases times steps of the largest batch; from `LARGE` on nothing is kept.
    """
    library = _glibc() if n_steps < LARGE else None
    if library is None:
        yield False
        return
    try:
        for parameter, value in _KEEPING.items():
            library.mallopt(parameter, value)
        yield True
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "malloc_trim") else None
