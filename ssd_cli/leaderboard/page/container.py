"""A JSON header and arrays of numbers in one gzipped block, which the page embeds."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import numpy.typing as npt

_ALIGNMENT = 8
"""Bytes; a typed array must start at a multiple of its item size."""

_TYPES = {"u1": "Uint8Array", "u2": "Uint16Array", "u4": "Uint32Array", "f4": "Float32Array", "f8": "Float64Array"}


def pack(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """Return header and arrays as one block.

    Parameters
    ----------
    header : dict
        Plain JSON.
    arrays : dict of str to ndarray
        Unsigned integers of 1, 2 or 4 bytes or floats of 4 or 8, of any shape; written row by row, little-endian.

    Returns
    -------
    bytes
        gzip of: length of the JSON (4 bytes, little-endian), the JSON with the place of every array, the arrays. Deterministic.
    """
    places, blocks, start = {}, [], 0
    for name, array in arrays.items():
        kind = f"{array.dtype.kind}{array.dtype.itemsize}"
        block = np.ascontiguousarray(array, dtype=f"<{kind}").tobytes()
        places[name] = {"type": _TYPES[kind], "start": start, "length": int(array.size)}
        blocks.append(block + bytes(-len(block) % _ALIGNMENT))
        start += len(blocks[-1])
    text = json.dumps({**header, "arrays": places}, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 4) % _ALIGNMENT)
    return gzip.compress(b"".join([len(text).to_bytes(4, "little"), text, *blocks]), compresslevel=6, mtime=0)
