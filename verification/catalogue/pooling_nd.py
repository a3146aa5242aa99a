"""Pooling over one axis and over three: correct layers and planted bugs."""

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section, change
from verification.specs.pooling_nd import average_pooling1d, average_pooling3d, max_pooling1d, max_pooling3d

SUBGRADIENT, EXTREMES = "gradient_is_a_subgradient", "extremes_come_out_right"


class Pooling:
    """What the layers below share: loops over windows of x in its frame."""

    axes = 1

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, count_include_pad: bool = True) -> None:
        given = (kernel_size, stride, padding)
        self.k, self.s, self.p = (np.broadcast_to(one, self.axes).tolist() for one in given)
        self.count_include_pad = count_include_pad

    def counts(self, x: Array) -> tuple[int, ...]:
        """Return the number of windows along each axis, or raise."""
        free = [side + 2 * p - k for side, p, k in zip(x.shape[2:], self.p, self.k, strict=x.ndim == self.axes + 2)]
        if x.ndim != self.axes + 2 or min(free) < 0 or min(x.shape[2:]) < 1:
            raise ValueError(f"x should be (n, c, ...) and as large as the window, but its shape is {x.shape}")
        return tuple(self.count(room, axis) for axis, room in enumerate(free))

    def count(self, free: int, axis: int) -> int:
        """Return how many windows there are, if the first one leaves this many entries free."""
        return free // int(self.s[axis]) + 1

    def frame(self, x: Array) -> Array:
        """Return x in its frame."""
        x = x.astype(np.result_type(x, np.float32))
        return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in self.p)], constant_values=self.value())

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
        if dLdy.shape != (shape := (*x.shape[:2], *self.counts(x))):
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {dLdy.shape}")
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


class LargestOfView(Largest):
    """A correct max-pooling: forward by a view of all windows; equal entries share the gradient evenly."""

    def forward(self, x: Array) -> Array:
        """Take the maximum of the view; results in Fortran order."""
        self.counts(x)
        view = sliding_window_view(self.frame(x), self.k, axis=tuple(range(2, x.ndim)))
        steps = view[(slice(None), slice(None), *(slice(None, None, s) for s in self.s))]
        return np.asfortranarray(steps.max(axis=tuple(range(-self.axes, 0))))

    def share(self, entries: Array, inside: int) -> Array:
        """Divide by the number of entries that are the largest."""
        tied = entries == entries.max(axis=2, keepdims=True)
        return np.asarray(tied / tied.sum(axis=2, keepdims=True))


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


def _assign(self: Any, dLdframed: Array, at: Any, part: Array) -> None:
    dLdframed[at] = part


def _assign_nonzero(self: Any, dLdframed: Array, at: Any, part: Array) -> None:
    dLdframed[at] = np.where(part != 0, part, dLdframed[at])


def _unique_only(self: Any, entries: Array, inside: int) -> Array:
    tied = entries == entries.max(axis=2, keepdims=True)
    return np.asarray(tied & (tied.sum(axis=2, keepdims=True) == 1), float)


def _general(base: Any) -> tuple[Bug, ...]:
    """Return the bugs of any pooling."""
    gradients = DIFFERENCES if issubclass(base, Largest) else ADJOINT
    by_x = issubclass(base, Largest)
    return (
        *everywhere(base, exact=True, by_x=by_x),
        row(base, "partial_windows", "wrong-shape", FORWARD, "what is left over by the stride counts as a window",
            count=lambda self, free, axis: -(-free // self.s[axis]) + 1),
        row(base, "stride_is_the_window", "hard-coded-stride", FORWARD, "stride is the window's size",
            __init__=lambda self, kernel_size, stride, padding, *more: base.__init__(
                self, kernel_size, kernel_size, padding, *more)),
        row(base, "gradient_without_cropping", "padding-ignored", gradients, "dLdx is cut from the corner of its frame",
            crop=lambda self, framed, shape: framed[tuple(slice(side) for side in shape)].copy()),
        row(base, "overlap_overwritten", "not-accumulated", gradients, "windows assign where they should add",
            add=_assign),
        row(base, "three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
            forward=lambda self, x: base.forward(self, x * (np.arange(len(x)) < 3).reshape(-1, *[1] * (x.ndim - 1)))),
    )  # fmt: skip


def _max_bugs(base: Any) -> tuple[Bug, ...]:
    def bug(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return row(base, name, family, caught_by, description, **methods)

    return (
        *_general(base),
        bug("padded_with_zeros", "padding-value", FORWARD, "padding counts as 0", value=lambda self: 0.0),
        bug("padded_with_a_number", "padding-value", EXTREMES, "padding counts as -1e9", value=lambda self: -1e9),
        bug("starts_at_zero", "zero-start", FORWARD, "the running maximum starts at 0",
            pool=lambda self, entries, inside: np.maximum(entries.max(axis=2), 0)),
        bug("overlap_keeps_the_last", "not-accumulated", DIFFERENCES, "an entry that is the largest of two windows gets one dLdy",
            add=_assign_nonzero),
        bug("mean_gradient", "wrong-operation", DIFFERENCES, "dLdx spreads dLdy evenly over the window",
            share=lambda self, entries, inside: np.isfinite(entries) / inside),
        bug("all_to_every_tie", "full-gradient-to-ties", SUBGRADIENT, "every tied entry takes all of dLdy",
            share=lambda self, entries, inside: entries == entries.max(axis=2, keepdims=True)),
        bug("none_to_ties", "no-gradient-to-ties", SUBGRADIENT, "tied entries take nothing", share=_unique_only),
    )  # fmt: skip


def _average_bugs(base: Any) -> tuple[Bug, ...]:
    def bug(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return row(base, name, family, caught_by, description, **methods)

    return (
        *_general(base),
        bug("padding_always_counted", "wrong-formula", FORWARD, "sums are divided by the size of the window",
            pool=lambda self, entries, inside: entries.sum(axis=2) / math.prod(self.k)),
        bug("padding_never_counted", "wrong-formula", FORWARD, "sums are divided by what lies in x",
            pool=lambda self, entries, inside: entries.sum(axis=2) / inside),
        bug("sums", "term-missing", FORWARD, "y holds sums", pool=lambda self, entries, inside: entries.sum(axis=2)),
        bug("gradient_not_divided", "term-missing", ADJOINT, "dLdx is not divided",
            share=lambda self, entries, inside: np.ones(entries.shape)),
        bug("gradient_always_counts", "wrong-formula", ADJOINT, "dLdx is divided by the size of the window",
            share=lambda self, entries, inside: np.full(entries.shape, 1 / math.prod(self.k))),
    )  # fmt: skip


def _three(base: type) -> type:
    return change(base, f"{base.__name__}3d", axes=3)


SECTIONS = (
    Section(max_pooling1d, (Largest, LargestOfView), _max_bugs(Largest)),
    Section(average_pooling1d, (Average, AverageOfTaps), _average_bugs(Average)),
    Section(max_pooling3d, (_three(Largest), _three(LargestOfView)), _max_bugs(_three(Largest))),
    Section(average_pooling3d, (_three(Average), _three(AverageOfTaps)), _average_bugs(_three(Average))),
)
