"""Messages between parent and child: a JSON header and arrays in NumPy's .npy format, each a frame after its length.

Whoever reads trusts nothing: a length is checked before memory is allocated for it, an array's dtype and shape
before it is made, and nothing is ever unpickled.
"""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = 1 << 20
"""Bytes that the JSON of a message may have."""

ARRAYS = 64
"""Arrays that a message may have."""


class FrameError(ValueError):
    """What was read is not a message."""


def pack(header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """Return the bytes of a message; the arrays' values travel in C order."""
    frames = [json.dumps({**header, "arrays": len(arrays)}).encode()]
    frames += [_npy(array.dtype.str, array.shape) + array.tobytes() for array in arrays]
    return b"".join(len(frame).to_bytes(8, "big") + frame for frame in frames)


def read(exactly: Callable[[int], bytes], limit: int) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Read a message whose arrays have at most `limit` bytes in all; exactly(n) gives the next n bytes.

    FrameError if it is not one; whatever `exactly` raises is raised.
    """
    try:
        header = json.loads(exactly(_length(exactly, HEADER)))
    except (ValueError, RecursionError) as error:
        raise FrameError(str(error)) from None
    count = header.get("arrays") if isinstance(header, dict) else None
    if not isinstance(count, int) or not 0 <= count <= ARRAYS:
        raise FrameError("no header, or one that promises too many arrays")
    arrays = []
    for _ in range(count):
        length = _length(exactly, limit)
        arrays.append(_array(exactly(length)))
        limit -= length
    return header, arrays


def _length(exactly: Callable[[int], bytes], limit: int) -> int:
    length = int.from_bytes(exactly(8), "big")
    if length > limit:
        raise FrameError(f"a frame of {length} bytes, more than the {limit} that it may have")
    return length


@lru_cache(maxsize=1024)
def _npy(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return magic string and header of the .npy format, version 1.0."""
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def _array(data: bytes) -> NDArray[Any]:
    """Return the array of these bytes in .npy format, version 1.0: numbers in C order, and not a byte more."""
    size = 10 + int.from_bytes(data[8:10], "little")
    dtype, shape = _parsed(bytes(data[:size]))
    if len(data) - size != dtype.itemsize * prod(shape):
        raise FrameError(f"an array of shape {shape} and {dtype} with {len(data) - size} bytes")
    return np.frombuffer(data, dtype, offset=size).reshape(shape)


@lru_cache(maxsize=1024)
def _parsed(start: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    file = BytesIO(start)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("a version of the format that is not 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=1000)
        if fortran or file.tell() != len(start) or dtype.kind not in "fiubc" or min(shape, default=0) < 0:
            raise ValueError("not an array of numbers in C order")
    except Exception as error:  # a header is a Python literal, and may be a strange one
        raise FrameError(f"no .npy array: {error}") from None
    return dtype, shape
