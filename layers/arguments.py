"""What a layer accepts: real arrays of the right shape and positive whole sizes.

Every function here returns its argument ready for use, or raises an error that names the argument,
what was given and what was expected.
"""

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
        raise TypeError(
            f"{name} should be an array of real numbers, but its dtype is {array.dtype}"
            f" (it was given as {type(value).__name__})"
        )
    return array


def images(name: str, value: ArrayLike) -> Array:
    """Return value as an array of rank 4: (batch, channels, width, height)."""
    array = real_array(name, value)
    if array.ndim != 4:
        raise ValueError(
            f"{name} should have 4 dimensions (batch, channels, width, height), but its shape is {array.shape}"
        )
    return array


def shaped(name: str, value: ArrayLike, shape: tuple[int, ...], meaning: str) -> Array:
    """Return value as an array of exactly this shape."""
    array = real_array(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} should have shape {shape} {meaning}, but its shape is {array.shape}")
    return array


def positive(name: str, value: int) -> int:
    """Return value as an int that is at least 1."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} should be a whole number, but it is {value!r}") from None
    if number < 1:
        raise ValueError(f"{name} should be at least 1, but it is {number}")
    return number


def working_dtype(*arrays: Array) -> np.dtype[Any]:
    """Return float32 if all arrays are float32 (or float16), else float64; integers count as float64."""
    return np.result_type(np.float32, *(array.dtype if array.dtype.kind == "f" else np.float64 for array in arrays))
