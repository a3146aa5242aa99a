"""Reads one IDX file, compressed by gzip or not, whole or not at all.

IDX: two zero bytes, a byte for the type (8: unsigned bytes), a byte for the number of dimensions,
each dimension as four bytes with the highest first, then the data.
Source: http://yann.lecun.com/exdb/mnist/
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 8


class DatasetError(ValueError):
    """A file of a data set is missing or is not what it should be; the message names the file."""


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the array of unsigned bytes with this many dimensions that the file holds.

    DatasetError if the file is missing, cannot be read, is not such an IDX file, or holds less or
    more data than its header says.
    """
    data = _content(path)
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise DatasetError(f"{path}: truncated: {len(data)} bytes, but the header alone has {header}")
    if data[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]):
        raise DatasetError(
            f"{path}: not an IDX file of unsigned bytes in {dimensions} dimensions: it should begin with"
            f" {bytes([0, 0, UNSIGNED_BYTE, dimensions]).hex(' ')}, but begins with {data[:4].hex(' ')}"
        )
    shape = tuple(int.from_bytes(data[4 * i : 4 * i + 4]) for i in range(1, dimensions + 1))
    size = math.prod(shape)
    if len(data) - header != size:
        what = "truncated" if len(data) - header < size else "too long"
        raise DatasetError(
            f"{path}: {what}: its header says {' x '.join(map(str, shape))} = {size} bytes of data,"
            f" but it holds {len(data) - header}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytearray:
    content = bytearray()  # unlike bytes, it gives an array that can be written to, without a copy
    try:
        with path.open("rb") as raw:
            compressed = raw.peek(2)[:2] == b"\x1f\x8b"
            with gzip.open(raw) if compressed else raw as file:
                while chunk := file.read(1 << 20):
                    content += chunk
    except EOFError:
        raise DatasetError(f"{path}: truncated: the compressed data ends too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path}: corrupt: {error}") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from None
    return content
