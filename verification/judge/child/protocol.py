"""The protocol between the judge and a child, in which a submission runs.

A call of a layer travels so:

    the judge                                     the child
    RemoteLayer.call (remote.py)
    Session.ask (session.py): the question
    Child.ask (process.py): its bytes       ->    serve (worker.py)
                                                  Worker.answer: makes the layer if it has to, then the step
                                                  Worker.do_call: calls the method, and describes the result
    Child.ask: the answer in time, or Stopped <-
    Session.ask: raises what was raised
    Session.value: the result, from its description

A fork of the interpreter (isolated.py) is asked in the same way, and answers with the same Worker.

One question is asked at a time, and answered before the next. The first message is the child's: it has started, and
{"missing": [...]} names the limits that do not hold there. Neither the child nor what it says is trusted.

A message is a JSON header and arrays in NumPy's .npy format, each a frame after its length; the length of all of them
comes first. Lengths are 8 bytes, the most significant first. The header says how many "arrays" follow. Whoever reads
trusts nothing: a length is checked before memory is allocated for it, an array's dtype and shape before it is made,
and nothing is ever unpickled.

A question is {"nonce", "do": a step, "with": its arguments, "make": a layer to be made first or null, "forget":
numbers}. The nonce is random, and comes back with the answer. What layers and arrays that are held are called, the
judge decides: numbers, until they are to be forgotten. A layer is made from [number, class, args, kwargs, {attribute:
place}], with the first step that needs it.

A place says where an array is found:

    null                            the next of the message
    number                          one that is held
    [number, strides, writeable]    the next of the message, to be held from now on in this memory layout

The steps:

    load filename wanted seed                    run the file, which is the array; return what it defines
    seed seed                                    set the random state
    call layer method places                     call a method; return what it returns
    call_and_hold layer method numbers places    the same, but hold what it returns; return how many items, or null
    get layer name []                            return an attribute
    get_held layer name number []                hold an attribute
    set layer name places                        set an attribute
    sharing layer places                         return the pairs of these arrays that share memory
    read number                                  return an array that is held
    write number force                           write the array into one that is held
    run_alone filename seed                      run the whole file, which is the array; return what it raised
    titles filename seed data                    run the script of question 5, which is the array; return what it shows

To add one: a row here, a method do_... of Worker, and what asks for it on the other side.

An answer is {"nonce", "result"}, or {"nonce", "raised": {"type", "base", "message", "where"}, "made"} for what was
raised, where "made" is false if it was by the making of the layer. What a layer returns is described by one of

    {"kind": "array"}                                  the next array of the message
    {"kind": "other array"}                            one of no numbers, which does not travel
    {"kind": "number", "value"}
    {"kind": "tuple" or "list", "items", "length"}     of the first ITEMS the descriptions
    {"kind": "other", "type", "text"}
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = 1 << 20
"""Bytes that the JSON of a message may have."""

ARRAYS = 1024
"""Arrays that a message may have."""

ITEMS = 16
"""Items of a tuple or list that an answer describes, or that are held."""

MAGIC = b"\x93NUMPY\x01\x00"

HEADER_OF_NUMBERS = re.compile(
    re.escape(MAGIC)
    + rb"..\{'descr': '(?P<dtype>[<>|=](?:[iu][1248]|f2|f4|f8|f16|b1|c8|c16|c32))', 'fortran_order': False,"
    rb" 'shape': \((?P<shape>|\d{1,19},|\d{1,19}(?:, \d{1,19}){1,63})\), \} *\n",
    re.DOTALL,
)


class FrameError(ValueError):
    """What was read is not a message."""


def pack(header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """Return the bytes of a message; the arrays' values travel in C order."""
    first = json.dumps({**header, "arrays": len(arrays)}).encode()
    parts = [b"", len(first).to_bytes(8, "big"), first]
    for array in arrays:
        start, values = _npy(array.dtype.str, array.shape), array.tobytes()
        parts += [(len(start) + len(values)).to_bytes(8, "big"), start, values]
    parts[0] = sum(map(len, parts)).to_bytes(8, "big")
    return b"".join(parts)


def read(exactly: Callable[[int], bytearray], limit: int) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Read a message whose arrays have at most `limit` bytes in all; exactly(n) gives the next n bytes.

    FrameError if it is not one; whatever `exactly` raises is raised.
    """
    message = memoryview(exactly(_length(exactly(8), HEADER + limit)))
    size = 8 + _length(message[:8], min(HEADER, len(message)))
    try:
        header = json.loads(str(message[8:size], "utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(str(error)) from None
    count = header.get("arrays") if isinstance(header, dict) else None
    if not isinstance(count, int) or not 0 <= count <= ARRAYS:
        raise FrameError("no header, or one that promises too many arrays")
    arrays = []
    for _ in range(count):
        start = size + 8
        size = start + _length(message[size:start], len(message) - start)
        arrays.append(_array(message[start:size]))
    return header, arrays


def _length(data: bytearray | memoryview, limit: int) -> int:
    length = int.from_bytes(data, "big")
    if length > limit:
        raise FrameError(f"a frame of {length} bytes, more than the {limit} that it may have")
    return length


@lru_cache(maxsize=1024)
def _npy(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return magic string and header of the .npy format, version 1.0."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(MAGIC) + 2 + len(header) + 1) % 64) + "\n"
    return MAGIC + len(header).to_bytes(2, "little") + header.encode()


def _array(data: memoryview) -> NDArray[Any]:
    """Return the array of these bytes in .npy format, version 1.0: numbers in C order, and not a byte more."""
    size = 10 + int.from_bytes(data[8:10], "little")
    dtype, shape, nbytes = _parsed(bytes(data[:size]))
    if len(data) - size != nbytes:
        raise FrameError(f"an array of shape {shape} and {dtype} with {len(data) - size} bytes")
    return np.frombuffer(data, dtype, offset=size).reshape(shape)


@lru_cache(maxsize=1024)
def _parsed(start: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return dtype, shape and bytes of an array from the start of its .npy file, if it is written as by _npy."""
    found = HEADER_OF_NUMBERS.fullmatch(start)
    if not found:
        raise FrameError(f"no .npy array of numbers in C order, version 1.0: it starts with {start[:200]!r}")
    dtype, shape = np.dtype(found["dtype"].decode()), tuple(int(side) for side in found["shape"].split(b",") if side)
    return dtype, shape, dtype.itemsize * prod(shape)
