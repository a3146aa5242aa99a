"""What a layer accepts: each function returns its arguments ready for use, or says what was given and expected."""

from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def real_array(name: str, value: ArrayLike) -> Array:
    """Return value as an array of real numbers; TypeError for strings, complex numbers, objects."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} should be an array of real numbers, but {error}") from None
    if array.dtype.kind not in "fiub":
        given = f"its dtype is {array.dtype} (it was given as {type(value).__name__})"
        raise TypeError(f"{name} should be an array of real numbers, but {given}")
    return array


def shaped(name: str, value: ArrayLike, shape: tuple[int, ...], meaning: str) -> Array:
    """Return value as an array of exactly this shape."""
    array = real_array(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} should have shape {shape} {meaning}, but its shape is {array.shape}")
    return array


def images(x: ArrayLike, part: str, width: int, height: int) -> Array:
    """Return x as floats (batch, channels, width, height), at least as large as this part: the filter or the pool."""
    x = real_array("x", x)
    if x.ndim != 4:
        raise ValueError(f"x should have 4 dimensions (batch, channels, width, height), but its shape is {x.shape}")
    if x.shape[2] < width or x.shape[3] < height:
        raise ValueError(f"x should be at least as large as the {part}, {width} x {height}, but its shape is {x.shape}")
    return x.astype(working_dtype(x), copy=False)


def positive(**sizes: int) -> list[int]:
    """Return the sizes as a list of ints, each at least 1."""
    for name, size in sizes.items():
        try:
            if index(size) < 1:
                raise ValueError(f"{name} should be at least 1, but it is {size}")
        except TypeError:
            raise TypeError(f"{name} should be a whole number, but it is {size!r}") from None
    return [index(size) for size in sizes.values()]


def working_dtype(*arrays: Array) -> np.dtype[Any]:
    """Return float32 if all arrays are float32 (or float16), else float64; integers count as float64."""
    return np.result_type(np.float32, *(array.dtype if array.dtype.kind == "f" else np.float64 for array in arrays))
