"""Derivatives of a smooth function by differences, each with an estimate of its error.

(y(h) - y(-h)) / 2h errs by even powers of h. Of differences with the steps h, 2h, 4h and 8h, Richardson's extrapolation
cancels h^2, then h^4, then h^6. Two extrapolations of one order, from the three finer and from the three coarser
steps, differ by about 63 times what the finer one errs by; the last extrapolation errs by less. So where the steps are
fine enough for the function their difference bounds the error, and where they are too coarse it is large itself.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from verification.case import Array

STEP = 9 * 2.0**-13
"""The finest step. Eight times that is less than the 1/64 that cases keep from a kink; x + STEP is exact as a rule; and
an oscillation whose period the steps are multiples of, which would look constant, is hardly one that a layer has."""

STEPS = tuple(sign * factor * STEP for factor in (1, 2, 4, 8) for sign in (1, -1))

UNITS = 32 * 2.0**-53
"""What y may err by through rounding, relative to itself: the reference or the layer is off by a few units of 2^-53."""

AMPLIFIED = 1.7 / STEP
"""What the last extrapolation makes of an error of y: the weights are (4096, 1344, 84, 1) / 2835 of a quotient by each
step, so that it is (4096 + 1344 / 2 + 84 / 4 + 1 / 8) / 2835 / STEP of the error at most."""

COARSE = 1e-6
"""An error of the differences, relative to what they are compared with, from which on they tell nothing."""


class Measured(NamedTuple):
    """An array, and how far from it the right one may be, for each entry."""

    value: Array
    error: Array | float = 0.0


def derivative(y: Sequence[Array]) -> Measured:
    """Return the derivative at 0 of a function that has these values at STEPS."""
    column = [(y[2 * i] - y[2 * i + 1]) / (2 * STEPS[2 * i]) for i in range(len(y) // 2)]
    spread: Array | float = 0.0
    for power in (4, 16, 64):
        spread = abs(column[0] - column[1])
        column = [(power * fine - coarse) / (power - 1) for fine, coarse in pairwise(column)]
    return Measured(np.asarray(column[0]), spread + AMPLIFIED * UNITS * np.max(np.abs(y), axis=0))
