"""What convolution and pooling over one, two or three axes share: settings by axis, sizes of a case, frames.

A setting is one number over one axis; over more it is a tuple with a number for each.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from verification.case import Array, Case
from verification.choices import AXES, Choice, side

Setting = int | tuple[int, ...]


def each(given: Setting) -> tuple[int, ...]:
    """Return a setting as a tuple with a number for each axis."""
    return given if isinstance(given, tuple) else (given,)


def setting(values: Iterable[int]) -> Setting:
    """Return the numbers for each axis as the layer is given them."""
    given = tuple(values)
    return given[0] if len(given) == 1 else given


def like(given: Setting, value: int) -> Setting:
    """Return the setting over as many axes with this number for each."""
    return setting([value] * len(each(given)))


def last(places: Iterable[Any]) -> Any:
    """Return the index of these places, or slices, in the last axes."""
    return (..., *places)


def every(steps: Setting) -> Any:
    """Return the index of every step-th place in the last axes."""
    return last(slice(None, None, step) for step in each(steps))


def column(b: Array, axes: int) -> Array:
    """Return b (f,) as it is added to y (n, f, ...)."""
    return b.reshape(-1, *[1] * axes)


# Cases


def sides_of(axes: int) -> dict[str, Choice]:
    """Return the choices of the sides of x, which follow from the others unless they are given."""
    return {name: side(axis) for axis, name in zip((-3, -2, -1)[-axes:], AXES[-axes:], strict=True)}


def fitted(least: int, extra: int, given: int | None) -> int:
    """Return a side of x, `extra` larger than it has to be unless it is given; 0 if that is too small."""
    return least + extra if given is None else given * (given >= least)


def at_most(entries: int, counts: Mapping[str, int], keep: Collection[str]) -> Iterator[int]:
    """Yield the counts, each made less (but not below 1) where their product would exceed this many entries.

    Those to `keep` stay as they are.
    """
    for name, count in counts.items():
        fitting = count if name in keep else max(1, min(count, entries))
        entries //= fitting
        yield fitting


# Windows


def windows_along(x: Array, kernel_size: Setting, stride: Setting, padding: Setting, dilation: Setting) -> list[int]:
    """Return how many windows there are along each axis of x."""
    settings = zip(*map(each, (kernel_size, stride, padding, dilation)), strict=True)
    of_axes = zip(x.shape[2:], settings, strict=True)
    return [(side + 2 * p - d * (k - 1) - 1) // s + 1 for side, (k, s, p, d) in of_axes]


def in_frame(x: Array, padding: Setting, value: float = 0.0) -> Array:
    """Return x with padding of this value before and after each of its last axes."""
    return padded(x, [(p, p) for p in each(padding)], value)


def padded(x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
    """Return x with so many entries of this value before and after each of its last axes, faster than np.pad does."""
    outer, sides = x.shape[: -len(widths)], x.shape[-len(widths) :]
    of_axes = [(before, before + side, after) for (before, after), side in zip(widths, sides, strict=True)]
    result = np.full((*outer, *(stop + after for _, stop, after in of_axes)), value)
    result[last(slice(start, stop) for start, stop, _ in of_axes)] = x
    return result


def without_frame(framed: Array, padding: Setting, shape: tuple[int, ...]) -> Array:
    """Return what lies within the frame, in this shape."""
    of_axes = zip(each(padding), shape[2:], strict=True)
    inside: Array = framed[last(slice(p, p + side) for p, side in of_axes)]
    return inside.reshape(shape)


def sizes_divide(case: Case) -> dict[str, bool]:
    """Return whether the windows cover the framed image to its edges, so that nothing is left over."""
    given = case.settings
    dilation = given.get("dilation", like(given["stride"], 1))
    settings = zip(*map(each, (given["kernel_size"], given["stride"], given["padding"], dilation)), strict=True)
    of_axes = zip(case.arrays["x"].shape[2:], settings, strict=True)
    left_over = [(side + 2 * p - d * (k - 1) - 1) % s for side, (k, s, p, d) in of_axes]
    return {"the windows fill the image": not any(left_over)}


def narrower_than_the_window(case: Case) -> Array:
    """Return x with a last axis too short for a window of kernel_size, or without any entries."""
    given = case.settings
    dilation = given.get("dilation", 1)
    reach = each(dilation)[-1] * (each(given["kernel_size"])[-1] - 1) + 1
    return case.arrays["x"][..., : max(0, reach - 1 - 2 * each(given["padding"])[-1])]


def entries_of(window: Array) -> Array:
    """(n, c, ...) -> (n, c, entries of the window)."""
    return window.reshape(*window.shape[:2], math.prod(window.shape[2:]))
