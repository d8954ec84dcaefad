"""Keep freed memory for the next step, instead of giving it back to the system and fetching it page by page again.

A training step allocates and frees the same large maps over and over. The C library returns large blocks to the system at once, and
the system clears every page anew when it is touched next: measured on one thread, that is 3 to 10 % of a step on 64 series of 427
steps, and half of it on 1460 steps (Inception), since blocks above 32 MB are never kept by default.

Freed blocks are not always reused whole, so the peak may grow: for Inception by nothing on 427 steps, by half on 2709. Above a size
nothing is kept.
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
# What a process that has freed large blocks has by itself: glibc raises its thresholds up to these.
_USUAL = {_M_TRIM_THRESHOLD: 64 * 2**20, _M_TOP_PAD: 128 * 2**10, _M_MMAP_THRESHOLD: 32 * 2**20, _M_MMAP_MAX: 65_536}


@contextmanager
def kept_memory(n_steps: int = 0) -> Iterator[bool]:
    """Keep freed memory in this process until the end of the block, then return it to the system.

    Parameters
    ----------
    n_steps : int
        Cases times steps of the largest batch; from `LARGE` on memory is scarcer than time.

    Yields
    ------
    bool
        Whether memory is kept: only where the C library is glibc. No result depends on it.
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
