"""Pooling over one, two or three axes: correct layers and planted bugs."""

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter
from scipy.signal import correlate

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.choices import AXES
from verification.specs.pooling_nd import (
    average_pooling1d,
    average_pooling2d,
    average_pooling3d,
    max_pooling1d,
    max_pooling2d,
    max_pooling3d,
)


class Pooling:
    """What the layers below share: loops over windows of x in its frame."""

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, count_include_pad: bool = True) -> None:
        given = (kernel_size, stride, padding)
        self.k, self.s, self.p = (np.atleast_1d(one).tolist() for one in given)
        self.count_include_pad = count_include_pad

    def counts(self, x: Array) -> tuple[int, ...]:
        """Return the number of windows along each axis, or raise."""
        free = [side + 2 * p - k for side, p, k in zip(x.shape[2:], self.p, self.k, strict=False)]
        if x.ndim != len(self.k) + 2 or min(free) < 0 or min(x.shape[2:]) < 1:
            raise ValueError(f"x should be (n, c, ...) and as large as the window, but its shape is {x.shape}")
        return tuple(self.count(room, axis) for axis, room in enumerate(free))

    def count(self, free: int, axis: int) -> int:
        """Return how many windows there are, if the first one leaves this many entries free."""
        return free // int(self.s[axis]) + 1

    def frame(self, x: Array) -> Array:
        """Return x in its frame."""
        x = x.astype(np.result_type(x, np.float32))
        return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in self.p)], constant_values=self.value())

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != (shape := (*x.shape[:2], *self.counts(x))):
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {dLdy.shape}")

    def window(self, place: tuple[int, ...]) -> Any:
        """Return the index of a window in the frame."""
        return (..., *(slice(i * s, i * s + k) for i, s, k in zip(place, self.s, self.k, strict=True)))

    def flat(self, window: Array) -> Array:
        """(n, c, ...) -> (n, c, entries)."""
        return window.reshape(*window.shape[:2], math.prod(window.shape[2:]))

    def forward(self, x: Array) -> Array:
        """x -> y."""
        framed, counts = self.frame(x), self.counts(x)
        y = np.zeros((*x.shape[:2], *counts), framed.dtype)
        for place in np.ndindex(counts):
            y[(..., *place)] = self.pool(self.flat(framed[self.window(place)]), self.inside(x, place))
        return y

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        framed = self.frame(x)
        dLdframed = np.zeros(framed.shape, np.result_type(dLdy, np.float32))
        for place in np.ndindex(dLdy.shape[2:]):
            at = self.window(place)
            share = self.share(self.flat(framed[at]), self.inside(x, place)) * dLdy[(..., *place)][:, :, np.newaxis]
            self.add(dLdframed, at, share.reshape(framed[at].shape).astype(dLdframed.dtype))
        return self.crop(dLdframed, x.shape)

    def inside(self, x: Array, place: tuple[int, ...]) -> int:
        """Return how many entries of a window lie in x."""
        of_axes = zip(place, self.s, self.p, self.k, x.shape[2:], strict=True)
        return math.prod(min(i * s - p + k, side) - max(i * s - p, 0) for i, s, p, k, side in of_axes)

    def add(self, dLdframed: Array, at: Any, part: Array) -> None:
        """Add what a window gives."""
        dLdframed[at] += part

    def crop(self, framed: Array, shape: tuple[int, ...]) -> Array:
        """Return what is inside the frame, as a new array."""
        at: Any = (..., *(slice(p, p + side) for p, side in zip(self.p, shape[2:], strict=True)))
        return np.array(framed[at])

    def value(self) -> float:
        """Return what the frame consists of."""
        return 0.0

    def pool(self, entries: Array, inside: int) -> Array:
        """(n, c, entries) -> (n, c)."""
        raise NotImplementedError

    def share(self, entries: Array, inside: int) -> Array:
        """Return the part of dLdy that each entry of the window takes."""
        raise NotImplementedError


class Largest(Pooling):
    """A correct max-pooling: among equal entries the first takes the gradient."""

    def value(self) -> float:
        """Return what is never the largest."""
        return -np.inf

    def pool(self, entries: Array, inside: int) -> Array:
        """Take the largest."""
        return np.asarray(entries.max(axis=2))

    def share(self, entries: Array, inside: int) -> Array:
        """Return 1 at the first largest entry."""
        return np.asarray(entries.argmax(axis=2)[..., np.newaxis] == np.arange(entries.shape[2]))


class EvenLargest(Largest):
    """A correct max-pooling: equal entries share the gradient evenly."""

    def share(self, entries: Array, inside: int) -> Array:
        """Divide by the number of entries that are the largest."""
        tied = entries == entries.max(axis=2, keepdims=True)
        return np.asarray(tied / tied.sum(axis=2, keepdims=True))


class LargestOfView(EvenLargest):
    """A correct max-pooling: forward by a view of all windows; results in Fortran order."""

    def windows(self, x: Array) -> Array:
        """x -> (n, c, ..., k ...), a view of x in its frame."""
        view = sliding_window_view(self.frame(x), self.k, axis=tuple(range(2, x.ndim)))
        return view[(slice(None), slice(None), *(slice(None, None, s) for s in self.s))]

    def forward(self, x: Array) -> Array:
        """Take the maximum of the view."""
        self.counts(x)
        return np.asfortranarray(self.windows(x).max(axis=tuple(range(-len(self.k), 0))))


class LargestByIndex(LargestOfView):
    """A correct max-pooling: backprop by argmax over the view, and np.add.at; results in Fortran order."""

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Scatter to the place of the last maximum."""
        self.check(x, dLdy)
        entries = self.windows(x).reshape(*dLdy.shape, math.prod(self.k))
        last = entries.shape[-1] - 1 - entries[..., ::-1].argmax(axis=-1)
        n, c, *places = np.indices(dLdy.shape)
        of_axes = zip(places, self.s, self.p, np.unravel_index(last, self.k), strict=True)
        dLdx = np.zeros(x.shape, np.result_type(dLdy, np.float32), order="F")
        np.add.at(dLdx, (n, c, *(i * s - p + at for i, s, p, at in of_axes)), dLdy)
        return dLdx


class LargestFilter(Largest):
    """A correct max-pooling: scipy.ndimage.maximum_filter, of which every stride-th entry is taken."""

    def forward(self, x: Array) -> Array:
        """Filter x in its frame, and drop what overlaps the edges."""
        counts = self.counts(x)
        if len(x) == 0:
            return super().forward(x)
        centred = maximum_filter(self.frame(x), size=(1, 1, *self.k))
        of_axes = zip(self.k, counts, self.s, strict=True)
        picked: Any = (..., *(slice(k // 2, k // 2 + count * s, s) for k, count, s in of_axes))
        return np.asarray(centred[picked])


class Average(Pooling):
    """A correct average-pooling: sums, divided."""

    def size(self, inside: int) -> int:
        """Return how many entries the sum of a window is divided by."""
        return math.prod(self.k) if self.count_include_pad else inside

    def pool(self, entries: Array, inside: int) -> Array:
        """Divide the sum."""
        return np.asarray(entries.sum(axis=2) / self.size(inside), entries.dtype)

    def share(self, entries: Array, inside: int) -> Array:
        """Return the same for all entries."""
        return np.full(entries.shape, 1 / self.size(inside))


class AverageOfTaps(Average):
    """A correct average-pooling: for each place in the window a slice of the frame, added up, then divided."""

    def forward(self, x: Array) -> Array:
        """Add slices."""
        framed, counts = self.frame(x), self.counts(x)
        y = np.zeros((*x.shape[:2], *counts), framed.dtype)
        for tap in np.ndindex(*self.k):
            of_axes = zip(tap, self.s, counts, strict=True)
            at: Any = (..., *(slice(i, i + (count - 1) * s + 1, s) for i, s, count in of_axes))
            y += framed[at]
        sizes = np.array([self.size(self.inside(x, place)) for place in np.ndindex(counts)], y.dtype)
        return np.asarray(y / sizes.reshape(counts))


class AverageByCorrelation(Average):
    """A correct average-pooling: correlation with ones, divided by that of ones; results in Fortran order."""

    def sums(self, framed: Array) -> Array:
        """Return the sums of all windows, of every image and channel."""
        sums = correlate(framed, np.ones((1, 1, *self.k), framed.dtype), mode="valid", method="direct")
        picked: Any = (..., *(slice(None, None, s) for s in self.s))
        return np.asarray(sums[picked])

    def sizes(self, x: Array) -> Array:
        """Return what the sums are divided by, (1, 1, ...)."""
        inside = [(0, 0), (0, 0), *((p, p) for p in self.p)]
        return self.sums(np.pad(np.ones((1, 1, *x.shape[2:])), inside, constant_values=float(self.count_include_pad)))

    def forward(self, x: Array) -> Array:
        """Divide sums by sizes."""
        counts = self.counts(x)
        if len(x) == 0:
            return np.zeros((*x.shape[:2], *counts))
        y = self.sums(self.frame(x))
        return np.asfortranarray(y / self.sizes(x).astype(y.dtype))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Add dLdy, divided by the sizes, to the slice of x that each place of a window meets."""
        self.check(x, dLdy)
        u = dLdy / self.sizes(x)
        framed = np.zeros(self.frame(x).shape, np.result_type(dLdy, np.float32))
        for tap in np.ndindex(*self.k):
            of_axes = zip(tap, self.s, dLdy.shape[2:], strict=True)
            met: Any = (..., *(slice(i, i + count * s, s) for i, s, count in of_axes))
            framed[met] += u.astype(framed.dtype)
        return self.crop(framed, x.shape)


class AverageByMatrices(Average):
    """A correct average-pooling: a matrix for each axis, y = R x C' of images, dLdx = R' dLdy C."""

    def matrix(self, side: int, count: int, axis: int) -> Array:
        """Return (count, side): the weight of each entry of x along the axis in each average."""
        first = np.arange(count)[:, np.newaxis] * self.s[axis] - self.p[axis]
        inside = (np.arange(side) >= first) & (np.arange(side) < first + self.k[axis])
        sizes = self.k[axis] if self.count_include_pad else inside.sum(axis=1, keepdims=True)
        return np.asarray(inside / sizes)

    def matrices(self, x: Array) -> list[Array]:
        """Return the matrix of each axis."""
        return [self.matrix(x.shape[2 + axis], count, axis) for axis, count in enumerate(self.counts(x))]

    def product(self, maps: Array, matrices: list[Array]) -> Array:
        """Return maps multiplied with a matrix along each axis."""
        for axis, matrix in enumerate(matrices, start=2):
            maps = np.moveaxis(matrix.astype(maps.dtype) @ np.moveaxis(maps, axis, -2), -2, axis)
        return maps

    def forward(self, x: Array) -> Array:
        """Multiply with all; the weights are rounded, so the averages are too."""
        return self.product(x.astype(np.result_type(x, np.float32)), self.matrices(x))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Multiply with all, transposed."""
        self.check(x, dLdy)
        matrices = [matrix.T for matrix in self.matrices(x)]
        return self.product(dLdy.astype(np.result_type(dLdy, np.float32)), matrices)


# Small changes


def _assign(self: Any, dLdframed: Array, at: Any, part: Array) -> None:
    dLdframed[at] = part


def _assign_nonzero(self: Any, dLdframed: Array, at: Any, part: Array) -> None:
    dLdframed[at] = np.where(part != 0, part, dLdframed[at])


def _unique_only(self: Any, entries: Array, inside: int) -> Array:
    tied = entries == entries.max(axis=2, keepdims=True)
    return np.asarray(tied & (tied.sum(axis=2, keepdims=True) == 1), float)


def _random_tie(self: Any, entries: Array, inside: int) -> Array:
    turn = np.s_[:, :, :: 1 - 2 * np.random.default_rng().integers(2)]
    return Largest.share(self, entries[turn], inside)[turn]


def _kept(self: Any, x: Array) -> Array:
    self.x = x.copy()
    return Pooling.forward(self, x)


def _of_kept(self: Any, x: Array, dLdy: Array) -> Array:
    kept = getattr(self, "x", x)
    return Pooling.backprop(self, kept if kept.shape == x.shape else x, dLdy)


def _same_x(self: Any, x: Array) -> Array:
    if x is not getattr(self, "last", None):
        self.last, self.answer = x, Pooling.forward(self, x)
    return np.array(self.answer)


def _clears_negative(self: Any, x: Array) -> Array:
    y = Pooling.forward(self, x)
    x[x < 0] = 0
    return y


def _added_up(self: Any, x: Array, dLdy: Array) -> Array:
    dLdx = Pooling.backprop(self, x, dLdy)
    kept = getattr(self, "dLdx", 0 * dLdx)
    self.dLdx = dLdx + kept if kept.shape == dLdx.shape else dLdx
    return np.array(self.dLdx)


def _halves_upstream(self: Any, x: Array, dLdy: Array) -> Array:
    dLdx = Pooling.backprop(self, x, dLdy)
    dLdy /= 2
    return dLdx


def _windows_apart_by_the_other_stride(self: Any, place: tuple[int, ...]) -> Any:
    return Pooling.window(Pooling(self.k, self.s[::-1], self.p), place)


def of_any(base: Any, gradients: str) -> tuple[Bug, ...]:
    """Return the bugs of any pooling, over all of a channel too."""
    return (
        *everywhere(base, exact=True, by_x=gradients == DIFFERENCES),
        row(base, "centred_by_batch", "batch-coupled", "batch_items_are_independent", "x is centred over the batch first",
            forward=lambda self, x: base.forward(self, x - np.floor(x.mean(axis=0)) if len(x) > 1 else x)),
        row(base, "three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
            forward=lambda self, x: base.forward(self, x * (np.arange(len(x)) < 3).reshape(-1, *[1] * (x.ndim - 1)))),
        row(base, "integer_gradient", "integer-truncation", "integers_count_as_real_numbers", "dLdx has the dtype of x",
            backprop=lambda self, x, u: base.backprop(self, x, u).astype(x.dtype)),
    )  # fmt: skip


def _of_windows(base: Any, gradients: str) -> tuple[Bug, ...]:
    return (
        *of_any(base, gradients),
        row(base, "partial_windows", "wrong-shape", FORWARD, "what is left over by the stride counts as a window",
            count=lambda self, free, axis: -(-free // self.s[axis]) + 1),
        row(base, "stride_is_the_window", "hard-coded-stride", FORWARD, "stride is the window's size, whatever was asked for",
            __init__=lambda self, kernel_size, stride, padding, *more: base.__init__(
                self, kernel_size, kernel_size, padding, *more)),
        row(base, "gradient_without_cropping", "padding-ignored", gradients, "dLdx is cut from the corner of its frame",
            crop=lambda self, framed, shape: framed[tuple(map(slice, shape))].copy()),
        row(base, "overlap_overwritten", "not-accumulated", gradients, "windows assign where they should add",
            add=_assign),
    )  # fmt: skip


SUBGRADIENT, CONSTANT, EXTREMES = (
    "gradient_is_a_subgradient",
    "follows_a_constant_added_to_x",
    "extremes_come_out_right",
)
SUM, HISTORY = "gradient_conserves_the_upstream_sum", "history_is_irrelevant"


_max = partial(row, Largest)
_mean = partial(row, Average)

MAX_BUGS = (
    *_of_windows(Largest, DIFFERENCES),
    _max("padded_with_zeros", "padding-value", CONSTANT, "padding counts as 0, not as minus infinity",
         value=lambda self: 0.0),
    _max("padded_with_a_number", "padding-value", EXTREMES, "padding counts as -1e9", value=lambda self: -1e9),
    _max("starts_at_zero", "zero-start", FORWARD, "the running maximum starts at 0",
         pool=lambda self, entries, inside: np.maximum(entries.max(axis=2), 0)),
    _max("overlap_keeps_the_last", "not-accumulated", SUM, "an entry that is the largest of two windows gets one dLdy",
         add=_assign_nonzero),
    _max("mean_gradient", "wrong-operation", SUBGRADIENT, "dLdx spreads dLdy evenly over the window",
         share=lambda self, entries, inside: np.isfinite(entries) / inside),
    _max("all_to_every_tie", "full-gradient-to-ties", SUBGRADIENT, "every tied entry takes all of dLdy",
         share=lambda self, entries, inside: entries == entries.max(axis=2, keepdims=True)),
    _max("none_to_ties", "no-gradient-to-ties", SUBGRADIENT, "tied entries take nothing", share=_unique_only),
    _max("random_tie", "non-deterministic", HISTORY, "ties are broken at random", share=_random_tie),
    _max("gradient_of_the_last_x", "keeps-state", HISTORY, "backprop uses the x of the last forward",
         forward=_kept, backprop=_of_kept),
    _max("negative_x_cleared", "mutates-argument", "arguments_are_left_alone", "forward sets negative x to 0",
         forward=_clears_negative),
)  # fmt: skip
MAX_AXES_SWAPPED = (
    _max("strides_swapped", "axes-swapped", FORWARD, "the strides of the axes come in reverse order",
         __init__=lambda self, kernel_size, stride, padding: Pooling.__init__(self, kernel_size, stride[::-1], padding)),
)  # fmt: skip

AVERAGE_BUGS = (
    *_of_windows(Average, ADJOINT),
    _mean("counts_padding", "wrong-formula", FORWARD, "count_include_pad is accepted, but always true",
          size=lambda self, inside: math.prod(self.k)),
    _mean("never_counts_padding", "wrong-formula", "average_of_ones_is_the_part_inside",
          "count_include_pad is accepted, but always false", size=lambda self, inside: inside),
    _mean("padding_always_counted", "wrong-formula", FORWARD, "sums are divided by the size of the window",
          pool=lambda self, entries, inside: entries.sum(axis=2) / math.prod(self.k)),
    _mean("padding_never_counted", "wrong-formula", FORWARD, "sums are divided by what lies in x",
          pool=lambda self, entries, inside: entries.sum(axis=2) / inside),
    _mean("gradient_counts_padding", "wrong-formula", "gradient_conserves_the_upstream_sum_without_padding",
          "dLdx is divided by the size of the window, padding or not",
          share=lambda self, entries, inside: np.full(entries.shape, 1 / math.prod(self.k))),
    _mean("sums", "term-missing", FORWARD, "sums are not divided", pool=lambda self, entries, inside: entries.sum(axis=2)),
    _mean("gradient_not_divided", "term-missing", ADJOINT, "dLdx is not divided",
          share=lambda self, entries, inside: np.ones(entries.shape)),
    _mean("divided_by_strides", "wrong-formula", FORWARD, "sums are divided by the product of the strides",
          size=lambda self, inside: math.prod(self.s)),
    _mean("floor_division", "integer-truncation", "rounding_stays_within_the_bound", "sums are divided by //",
          pool=lambda self, entries, inside: entries.sum(axis=2) // self.size(inside)),
    _mean("forward_doubled", "scaled", DIFFERENCES, "forward is twice the average, backprop is not",
          pool=lambda self, *given: 2 * Average.pool(self, *given)),
    _mean("gradient_adds_up", "keeps-state", HISTORY, "dLdx of the last call is added to this one", backprop=_added_up),
    _mean("same_x", "keeps-state", HISTORY, "y is remembered as long as x is the same object", forward=_same_x),
    _mean("dLdy_halved", "mutates-argument", "arguments_are_left_alone", "backprop divides dLdy in place",
          backprop=_halves_upstream),
)  # fmt: skip


def _average_axes_swapped(axes: int) -> tuple[Bug, ...]:
    first, power = AXES[-axes], {2: "squared", 3: "cubed"}[axes]
    return (
        _mean(f"{first}_{power}", "axes-swapped", FORWARD, f"sums are divided by the {first} of the window, {power}",
              size=lambda self, inside: self.k[0] ** axes),
        _mean("strides_swapped", "axes-swapped", FORWARD, "windows have the right number, but lie apart by the other stride",
              window=_windows_apart_by_the_other_stride),
    )  # fmt: skip


MAX = Largest, EvenLargest, LargestOfView, LargestByIndex, LargestFilter
AVERAGE = Average, AverageOfTaps, AverageByCorrelation, AverageByMatrices
SECTIONS = (
    Section(max_pooling2d, MAX, (*MAX_BUGS, *MAX_AXES_SWAPPED)),
    Section(average_pooling2d, AVERAGE, (*AVERAGE_BUGS, *_average_axes_swapped(2))),
    Section(max_pooling1d, MAX, MAX_BUGS),
    Section(average_pooling1d, AVERAGE, AVERAGE_BUGS),
    Section(max_pooling3d, MAX, (*MAX_BUGS, *MAX_AXES_SWAPPED)),
    Section(average_pooling3d, AVERAGE, (*AVERAGE_BUGS, *_average_axes_swapped(3))),
)
