"""Calls that a layer should refuse, for the bad arguments of the ready specs."""

from collections.abc import Callable

import numpy as np

from verification.case import Array, Case
from verification.spec import BadArgument


def forward_of(description: str, x: Callable[[Case], Array]) -> BadArgument:
    """Return the call forward(x(case)), to be refused for its x."""
    return BadArgument(description, "x", lambda layer, case: layer.attempt("forward", x(case)))


def backprop_of(description: str, dLdy: Callable[[Case], Array]) -> BadArgument:
    """Return the call backprop(x, dLdy(case)) with the x of the case, to be refused for its dLdy."""
    return BadArgument(
        description, "dLdy", lambda layer, case: layer.attempt("backprop", case.arrays["x"], dLdy(case))
    )  # fmt: skip


def grown(array: Array, axis: int) -> Array:
    """Return the array with its first slice once more at the end of an axis."""
    return np.concatenate([array, array.take([0], axis=axis)], axis=axis)


def shorter_than(setting: str, axis: int) -> Callable[[Case], Array]:
    """Return the function from a case to its x with one less than this setting of it left along the axis."""
    return lambda case: case.arrays["x"].take(range(case.settings[setting] - 1), axis=axis)
