"""One case: the arrays a layer is given and how the layer is made. A case is data and is never changed.

Values come from a seed alone, through generators whose streams never change, so that the same seed
gives the same case on every machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Option = TypeVar("Option")

VALUES = 256
"""Whole numbers are drawn uniformly from this many: -128 ... 127."""

SMALL_VALUES = 16
"""Those for float32 are from this many: -8 ... 7."""


@dataclass(frozen=True, eq=False)
class Case:
    """The arrays (x and the parameters, by name) and the settings (constructor arguments, by name).

    What a property needs besides (an upstream gradient, a direction) is drawn from `seed`, unless
    `arrays` has it: Case({"x": x, "dLdy": u}) fixes the upstream gradient too. A dLdy declared so keeps
    its form (one-hot, say) in every property, but for a factor. `drawn` names the arrays that were not
    declared, but drawn by a property, and are kept while a case is made simpler; so are the choices `picked`.
    """

    arrays: Mapping[str, Array]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 2
    drawn: frozenset[str] = frozenset()
    picked: Mapping[str, Any] = field(default_factory=dict)


def indices(array: Array) -> bool:
    """Return whether an array is of integers: a layer chooses by them, so no other values will do, and no floats."""
    return array.dtype.kind in "iu"


def pick(name: str, seed: int, options: Sequence[Option]) -> Option:
    """Return one of the options, each as likely. Choices of other names are independent of this one."""
    return options[Random(f"{name}{seed} picked").randrange(len(options))]


def unusual(seed: int, *kinds: str) -> str:
    """Return one of these kinds for each of them in one case of eight, and "" otherwise or where the seed is at most 2.

    Seeds 0 and 1 mean zeros and ones, and 2 is that of the cases of a realistic size.
    """
    return pick("unusual", seed, [*kinds, *[""] * (8 - len(kinds))]) if seed > 2 else ""


def whole(name: str, seed: int, shape: tuple[int, ...]) -> Array:
    """Return float64 whole numbers, uniform on -128 ... 127; zeros for seed 0, ones for seed 1."""
    if seed < 2:
        return np.full(shape, float(seed))
    count = int(np.prod(shape))
    raw = np.frombuffer(Random(f"{name}{seed}").randbytes(count), np.int8)
    values: Array = raw.astype(np.float64).reshape(shape)
    return values


def small(array: Array) -> Array:
    """Return whole numbers brought from -128 ... 127 to -8 ... 7, so that float32 holds large sums of their products.

    Those up to 8 stay as they are. Multiples of a number stay multiples of it; but large ones, multiples of 2^12, are
    made as small as others.
    """
    if not array.any():
        return array
    array = array / 2.0**12 if (array % 2**12 == 0).all() else array
    step = float(np.gcd.reduce(array.astype(np.int64), axis=None))
    units = array / step
    return array if np.max(abs(units)) <= 8 else step * np.floor(units / 16)


def are_numbers_of(dtype: type[np.floating[Any]], array: Any) -> Any:
    """Return which entries of an array are numbers of this dtype too; what is too large for it is none."""
    with np.errstate(over="ignore", invalid="ignore"):  # as of a layer that reads memory that is not its own
        return np.equal(array, np.asarray(array).astype(dtype))


def real(name: str, seed: int, shape: tuple[int, ...]) -> Array:
    """Return float64 numbers that need all their bits, of either sign, from 2^-7 to 2 in size."""
    raw = np.frombuffer(Random(f"{name}{seed} real").randbytes(8 * int(np.prod(shape))), "<i8")
    mantissa = 1 + (abs(raw >> 8) % 2**48 + 0.5) * 2.0**-48
    size = mantissa * 2.0 ** -(raw & 7)
    return np.asarray(np.where(raw < 0, -size, size).reshape(shape))
