"""Ways in which an array comes out otherwise than it should: small functions, None where they do not apply."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from verification.case import Array

Change = Callable[[Array], Array | None]


# Parts that are left out, or count alone


def only(axis: int, where: slice, a: Array) -> Array | None:
    """Return the array with all but this part of an axis zero."""
    if a.ndim <= axis or a.shape[axis] < 2:
        return None
    return kept(a, (slice(None),) * axis + (where,))


def without(edges: tuple[tuple[int, int], ...], a: Array) -> Array | None:
    """Return the array of images with zeros at these edges: (axis, place)."""
    return zeroed(a, edges) if a.ndim > 2 else None


def without_last(axis: int, a: Array) -> Array | None:
    """Return the array without the last entry of an axis, where there is more than one."""
    return zeroed(a, ((axis, -1),)) if a.ndim > axis and a.shape[axis] > 1 else None


def one_for_all(where: slice, a: Array) -> Array | None:
    """Return the array with one image in place of every other."""
    return a[where] + np.zeros_like(a) if a.ndim and len(a) > 1 else None


def one_position(place: int, a: Array) -> Array | None:
    """Return the images with zeros everywhere but for one place: the first or the last."""
    return kept(a, np.s_[..., place, place]) if a.ndim > 2 else None


def kept(a: Array, where: Any) -> Array:
    """Return the array with zeros everywhere else."""
    part = np.zeros_like(a)
    part[where] = a[where]
    return part


def zeroed(a: Array, edges: tuple[tuple[int, int], ...]) -> Array:
    """Return the array with zeros at these edges: (axis, place)."""
    a = a.copy()
    for axis, place in edges:
        if a.shape[axis]:
            np.moveaxis(a, axis, 0)[place] = 0
    return a


# Axes in another order


def last_swapped(a: Array) -> Array | None:
    """Return height and width swapped, and so another shape where they differ."""
    return a.swapaxes(-2, -1) if a.ndim > 1 else None


def last_swapped_into_shape(a: Array) -> Array | None:
    """Return height and width swapped, reshaped to what they were."""
    return a.swapaxes(-2, -1).reshape(a.shape) if a.ndim > 2 else None


def first_swapped_into_shape(a: Array) -> Array | None:
    """Return the first two axes swapped, reshaped to what they were."""
    return a.swapaxes(0, 1).reshape(a.shape) if a.ndim > 1 else None


def reshaped_to_first(a: Array) -> Array | None:
    """Return what a reshape makes of the array where its first two axes should be swapped."""
    return a.reshape(a.shape[1], a.shape[0], *a.shape[2:]).swapaxes(0, 1) if a.ndim > 2 else None


def channels_last_reshaped(a: Array) -> Array | None:
    """Return the array with its channels last, reshaped to what it was."""
    return np.moveaxis(a, 1, -1).reshape(a.shape) if a.ndim > 2 else None


def channels_first_reshaped(a: Array) -> Array | None:
    """Return what a reshape makes of an array whose channels come last, where they should be moved."""
    return np.moveaxis(a.reshape(a.shape[0], *a.shape[2:], a.shape[1]), -1, 1) if a.ndim > 2 else None


def turned_by_90(times: int, a: Array) -> Array | None:
    """Return the images turned, and so another shape where they are not square."""
    return np.rot90(a, times, (-2, -1)) if a.ndim > 2 else None


def reversed_along(axes: tuple[int, ...], a: Array) -> Array | None:
    """Return the array with these axes reversed."""
    return np.flip(a, axes) if a.ndim > max(1, *(axis if axis >= 0 else -axis - 1 for axis in axes)) else None


def turned_by_180(a: Array) -> Array | None:
    """Return the array with its last two axes reversed."""
    return reversed_along((-2, -1), a)


def rolled(axis: int, step: int, a: Array) -> Array | None:
    """Return the array shifted along an axis; what leaves it at one end comes in at the other."""
    return np.roll(a, step, axis) if a.ndim >= -axis and a.shape[axis] > 1 else None


def moved(axis: int, step: int, a: Array) -> Array | None:
    """Return the array shifted along an axis; zeros come in."""
    shifted = rolled(axis, step, a)
    return None if shifted is None else zeroed(shifted, ((axis, 0 if step > 0 else -1),))


# Sums that do not belong


def summed_for_all(axis: int, a: Array) -> Array | None:
    """Return the sum over an axis in place of each entry along it."""
    return a.sum(axis=axis, keepdims=True) + np.zeros_like(a) if a.ndim > max(1, axis) else None


# Functions of each entry, or of all


def wrapped(kind: type[np.signedinteger] | type[np.unsignedinteger], a: Array) -> Array:
    """Return what a cast to this type of whole numbers leaves, which goes round at its ends."""
    return np.trunc(a).astype(np.int64).astype(kind).astype(float)


def leaky(a: Array) -> Array:
    """Return the array with negative entries made small."""
    return np.where(a > 0, a, 0.01 * a)


def centered(axes: tuple[int, ...] | None, a: Array) -> Array | None:
    """Return the array less its mean, over all of it or over these axes."""
    return a - a.mean(axis=axes, keepdims=True) if a.size and a.ndim > max(axes or (0,)) else None


def over(size: Callable[[Array], float], a: Array) -> Array | None:
    """Return the array divided by its size, in one sense or another."""
    factor = float(size(a)) if a.size else 0.0
    return a / factor if factor else None


def standard(more: float, a: Array) -> Array | None:
    """Return the array less its mean, divided by its standard deviation and a little more."""
    spread = float(a.std()) + more if a.size else 0.0
    return (a - a.mean()) / spread if spread else None


def sigmoid(a: Array) -> Array:
    """Return 1 / (1 + exp(-a))."""
    return 1 / (1 + np.exp(-a))


LIMITS = (0.1, 0.5, 2, 3, 5, 10, 20, 50, 100)
NONLINEAR: dict[str, Change] = {
    "the absolute value of {}": np.abs,
    "the square of {}": np.square,
    "the sign of {}, or {} clipped to -1 ... 1": np.sign,
    "the positive part of {}": lambda a: np.maximum(a, 0),
    **{f"{{}} clipped to -{most} ... {most}": partial(np.clip, a_min=-most, a_max=most) for most in LIMITS},
}
"""What may stand in place of an array, whose name is {}; none of it is linear in the array."""

RARELY: dict[str, Change] = {
    "1 where {} is positive, or {} clipped to 0 ... 1": lambda a: np.asarray(a > 0, float),
    "{} where it is positive, and 0.01 times {} elsewhere": leaky,
    "the tanh of {}": np.tanh,
    "the sigmoid of {}": sigmoid,
    "{} / (1 + |{}|)": lambda a: a / (1 + abs(a)),
    "{} less its mean": partial(centered, None),
    "{} less the mean of each image": partial(centered, (1, 2, 3)),
    "{} less the mean of each channel": partial(centered, (0, 2, 3)),
    "{} less its mean over the batch": partial(centered, (0,)),
    "{} divided by the sum of its entries": partial(over, np.sum),
    "{} divided by its mean": partial(over, np.mean),
    "{} divided by its largest entry": partial(over, np.max),
    "{} cast to uint8, which goes round at 256": partial(wrapped, np.uint8),
    "{} cast to int8, which goes round at 128": partial(wrapped, np.int8),
    "{} cast to float16": lambda a: a.astype(np.float16).astype(float),
    **{f"{{}} less its mean, divided by its standard deviation{f' + {more:g}' if more else ''}": partial(standard, more)
       for more in (0, 1e-8, 1e-7, 1e-6, 1e-5)},
    "{} divided by 255": lambda a: a / 255,
}  # fmt: skip
"""The same, of what is looked for by itself."""

EDGES: dict[str, tuple[tuple[int, int], ...]] = {
    "the last row": ((-2, -1),),
    "the last column": ((-1, -1),),
    "the last row and column": ((-2, -1), (-1, -1)),
    "the first row": ((-2, 0),),
    "the first column": ((-1, 0),),
    "the first row and column": ((-2, 0), (-1, 0)),
    "its border": ((-2, 0), (-2, -1), (-1, 0), (-1, -1)),
}
"""Places along the border, as axis and place."""

RESHAPED = "has its entries in another order: a reshape where a transpose belongs"
CHANGES: list[tuple[str, str, Change]] = [
    ("unfinished", "is all zeros: it is not computed yet", np.zeros_like),
    ("sign", "has the wrong sign: it is minus what it should be", np.negative),
    ("axes-swapped", "comes with its last two axes swapped", last_swapped),
    ("axes-swapped", "is right but for height and width, which are swapped", last_swapped_into_shape),
    ("axes-swapped", RESHAPED, channels_last_reshaped),
    ("axes-swapped", RESHAPED, channels_first_reshaped),
    ("axes-swapped", RESHAPED, reshaped_to_first),
    ("scaled", "is twice what it should be", lambda a: 2 * a),
    ("scaled", "is half of what it should be", lambda a: a / 2),
    ("channels-mixed", "is right but for its first two axes, which are swapped", first_swapped_into_shape),
    ("axes-swapped", "is what it should be, turned by 180 degrees", turned_by_180),
    ("axes-swapped", "is what it should be with its last axis reversed", lambda a: a[..., ::-1] if a.ndim else None),
    ("axes-swapped", "is what it should be with its rows in reverse order", partial(reversed_along, (-2,))),
    ("axes-swapped", "is what it should be, turned by 90 degrees", partial(turned_by_90, 1)),
    ("axes-swapped", "is what it should be, turned by 90 degrees", partial(turned_by_90, -1)),
    ("integer-result", "is cut to whole numbers", np.trunc),
    ("integer-result", "is rounded down to whole numbers", np.floor),
    *(
        ("shifted", f"is right, but shifted by one {place}{how}", partial(shift, axis, step))
        for axis, place in ((-1, "column"), (-2, "row"))
        for step in (1, -1)
        for how, shift in (("", rolled), (", with zeros moved in", moved))
    ),
    *(
        ("border-missing", f"is right but for {where}, which is left at zero", partial(without, edges))
        for where, edges in EDGES.items()
    ),
]  # fmt: skip
"""Family, what is said, and the change that turns a right array into the wrong one."""

CLIPPED: list[tuple[str, str, Change]] = [
    ("clipped", "is right but for being clipped to -1 ... 1, or its sign is taken: leave it as it is", np.sign),
    ("clipped", "is right but for being clipped to 0 ... 1, or marks positive entries: leave it as it is",
     lambda a: np.asarray(a > 0, float)),
    ("clipped", "is right but for being clipped to 0 ... 255: leave it as it is",
     partial(np.clip, a_min=0, a_max=255)),
    ("clipped", "is right but for negative entries, which are 0", lambda a: np.maximum(a, 0)),
    ("sign", "is the absolute value of what it should be", np.abs),
]  # fmt: skip
"""The same, of changes that are looked for when nothing plainer explains an array."""

ACTIVATED: list[tuple[str, str, Change]] = [
    ("wrong-operation", "goes through tanh: leave that to a layer of its own", np.tanh),
    ("wrong-operation", "goes through the sigmoid: leave that to a layer of its own", sigmoid),
    ("wrong-operation", "goes through a leaky ReLU of 0.01: leave that to a layer of its own", leaky),
]
CAST: list[tuple[str, str, Change]] = [
    ("integer-result", "is cast to int8, which goes round at 128: keep floats", partial(wrapped, np.int8)),
    ("integer-result", "is cast to uint8, which goes round at 256: keep floats", partial(wrapped, np.uint8)),
    ("float32-inside", "is cast to float16: keep to float64 throughout",
     lambda a: a.astype(np.float16).astype(float)),
]  # fmt: skip
"""The same, of changes that are looked for by themselves."""
