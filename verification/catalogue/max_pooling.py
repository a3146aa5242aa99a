"""Max-pooling: a correct layer in parts that can be changed one at a time, variants of it, planted bugs."""

from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter

from verification.case import Array
from verification.catalogue.any_layer import row
from verification.catalogue.bug import Section
from verification.specs.max_pooling import max_pooling


class FirstLargest:
    """A correct layer: loops over windows; among equal entries the first takes the gradient."""

    def __init__(self, stride: int, pool_size: int) -> None:
        self.stride, self.pool_size = stride, pool_size

    def output_shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != 4 or min(x.shape[2:]) < self.pool_size:
            raise ValueError(f"x should be (n, c, w, h), at least {self.pool_size} wide and high, not {x.shape}")
        return *x.shape[:2], *((side - self.pool_size) // self.stride + 1 for side in x.shape[2:])

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != self.output_shape(x):
            raise ValueError(f"dLdy should have shape {self.output_shape(x)}, but its shape is {dLdy.shape}")

    def window(self, i: int, j: int) -> Any:
        """Return the index of window (i, j)."""
        top, left = i * self.stride, j * self.stride
        return np.s_[:, :, top : top + self.pool_size, left : left + self.pool_size]

    def forward(self, x: Array) -> Array:
        """x (n, c, w, h) -> y."""
        y = np.zeros(self.output_shape(x), x.dtype)
        for i, j in np.ndindex(y.shape[2:]):
            y[:, :, i, j] = self.largest(x[self.window(i, j)])
        return y

    def largest(self, window: Array) -> Array:
        """(n, c, k, k) -> (n, c)."""
        return np.asarray(window.max(axis=(2, 3)))

    def share(self, window: Array) -> Array:
        """(n, c, k, k) -> the part of dLdy that each entry takes, the same shape."""
        flat = window.reshape(*window.shape[:2], self.pool_size**2)
        first = flat.argmax(axis=2)[..., np.newaxis] == np.arange(flat.shape[2])
        return np.asarray(first.reshape(window.shape), float)

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        dLdx = np.zeros(x.shape, np.result_type(dLdy, np.float32))
        for i, j in np.ndindex(dLdy.shape[2:]):
            part = self.share(x[self.window(i, j)]) * dLdy[:, :, i : i + 1, j : j + 1]
            self.add(dLdx, self.window(i, j), part)
        return dLdx

    def add(self, dLdx: Array, window: Any, part: Array) -> None:
        """Add what a window receives."""
        dLdx[window] += part.astype(dLdx.dtype)


class LastLargest(FirstLargest):
    """A correct layer: among equal entries the last takes the gradient."""

    def share(self, window: Array) -> Array:
        """Turn the window around, and back."""
        return super().share(window[:, :, ::-1, ::-1])[:, :, ::-1, ::-1]


class EvenSplit(FirstLargest):
    """A correct layer: equal entries share the gradient evenly."""

    def share(self, window: Array) -> Array:
        """Divide by the number of entries that are the largest."""
        tied = window == window.max(axis=(2, 3), keepdims=True)
        return np.asarray(tied / tied.sum(axis=(2, 3), keepdims=True))


class Windows(FirstLargest):
    """A correct layer: a sliding-window view, argmax and np.add.at."""

    def windows(self, x: Array) -> Array:
        """x -> (n, c, ow, oh, k * k)."""
        view = sliding_window_view(x, (self.pool_size, self.pool_size), axis=(2, 3))
        view = view[:, :, :: self.stride, :: self.stride]
        return view.reshape(*view.shape[:4], self.pool_size**2)

    def forward(self, x: Array) -> Array:
        """Take the maximum of each row."""
        self.output_shape(x)
        return np.asarray(self.windows(x).max(axis=4))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Scatter to the position of the maximum."""
        self.check(x, dLdy)
        at = self.windows(x).argmax(axis=4)
        n, c, i, j = np.indices(at.shape)
        rows, columns = i * self.stride + at // self.pool_size, j * self.stride + at % self.pool_size
        dLdx = np.zeros(x.shape, np.result_type(dLdy, np.float32))
        np.add.at(dLdx, (n, c, rows, columns), dLdy)
        return dLdx


class Slices(FirstLargest):
    """A correct layer: an elementwise maximum over the strided slices of x, one for each place in a window."""

    def slices(self, shape: tuple[int, ...]) -> list[Any]:
        """Return the index of each slice, for y of this shape."""
        return [
            np.s_[:, :, i : i + self.stride * shape[2] : self.stride, j : j + self.stride * shape[3] : self.stride]
            for i, j in np.ndindex(self.pool_size, self.pool_size)
        ]

    def forward(self, x: Array) -> Array:
        """Fold the slices."""
        shape = self.output_shape(x)
        return np.asarray(np.maximum.reduce([x[s][:, :, : shape[2], : shape[3]] for s in self.slices(shape)]))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Give dLdy to the first slice that equals the maximum."""
        self.check(x, dLdy)
        y, taken = self.forward(x), np.zeros(dLdy.shape, bool)
        dLdx = np.zeros(x.shape, np.result_type(dLdy, np.float32))
        for s in self.slices(y.shape):
            chosen = (x[s] == y) & ~taken
            dLdx[s] += np.where(chosen, dLdy, 0)
            taken |= chosen
        return dLdx


class MaximumFilter(FirstLargest):
    """A correct layer: scipy.ndimage.maximum_filter, of which every stride-th entry is taken."""

    def forward(self, x: Array) -> Array:
        """Filter, and drop what overlaps the edges."""
        _, _, w, h = self.output_shape(x)
        k, s = self.pool_size, self.stride
        if len(x) == 0:
            return super().forward(x)
        first = k // 2  # the centre of the first window
        centred = maximum_filter(x, size=(1, 1, k, k))
        return np.asarray(centred[:, :, first : first + w * s : s, first : first + h * s : s])


VARIANTS = (FirstLargest, LastLargest, EvenSplit, Windows, Slices, MaximumFilter)


def _overwrite(self: Any, dLdx: Array, window: Any, part: Array) -> None:
    dLdx[window] = part


def _overwrite_nonzero(self: Any, dLdx: Array, window: Any, part: Array) -> None:
    dLdx[window] = np.where(part != 0, part, dLdx[window])


def _unique_only(self: Any, window: Array) -> Array:
    tied = window == window.max(axis=(2, 3), keepdims=True)
    return np.asarray(tied & (tied.sum(axis=(2, 3), keepdims=True) == 1), float)


def _random_tie(self: Any, window: Array) -> Array:
    turn = np.s_[:, :, :: 1 - 2 * np.random.default_rng().integers(2)]
    return FirstLargest.share(self, window[turn])[turn]


def _round_up(self: Any, x: Array) -> tuple[int, ...]:
    FirstLargest.output_shape(self, x)
    return *x.shape[:2], *(-(-(side - self.pool_size) // self.stride) + 1 for side in x.shape[2:])


def _masking(self: Any, x: Array) -> Array:
    y = FirstLargest.forward(self, x)
    x[x < 0] = 0
    return y


def _keep_mask(self: Any, x: Array) -> Array:
    self.kept = x.copy()
    return FirstLargest.forward(self, x)


def _from_kept(self: Any, x: Array, dLdy: Array) -> Array:
    kept = getattr(self, "kept", x)
    return FirstLargest.backprop(self, kept if kept.shape == x.shape else x, dLdy)


def _near_ties(self: Any, window: Array) -> Array:
    near = np.isclose(window, window.max(axis=(2, 3), keepdims=True))
    return np.asarray(near / near.sum(axis=(2, 3), keepdims=True))


def _soft(self: Any, window: Array) -> Array:
    weights = np.exp(40 * (window - window.max(axis=(2, 3), keepdims=True)))
    return np.asarray(weights / weights.sum(axis=(2, 3), keepdims=True))


def _integer_gradient(self: Any, x: Array, dLdy: Array) -> Array:
    return FirstLargest.backprop(self, x, dLdy).astype(x.dtype)


def _buffered(self: Any, x: Array) -> Array:
    y = FirstLargest.forward(self, x)
    if getattr(self, "buffer", y[:0]).shape != y.shape:
        self.buffer = y.copy()
    self.buffer[...] = y
    return np.asarray(self.buffer)


_row = partial(row, FirstLargest)
FORWARD, DIFFERENCES = "forward_matches_reference", "backprop_matches_directional_differences"
SUBGRADIENT = "gradient_is_a_subgradient"

BUGS = (
    _row("starts_at_zero", "zero-start", FORWARD, "the running maximum starts at 0",
         largest=lambda self, window: np.maximum(window.max(axis=(2, 3)), 0)),
    _row("minimum", "wrong-operation", FORWARD, "forward takes the smallest entry",
         largest=lambda self, window: window.min(axis=(2, 3))),
    _row("mean", "wrong-operation", FORWARD, "forward takes the mean",
         largest=lambda self, window: window.mean(axis=(2, 3))),
    _row("largest_in_size", "wrong-operation", "is_monotone", "forward takes the largest absolute value",
         largest=lambda self, window: abs(window).max(axis=(2, 3))),
    _row("stride_is_two", "hard-coded-stride", FORWARD, "stride is 2, whatever was asked for",
         __init__=lambda self, stride, pool_size: FirstLargest.__init__(self, 2, pool_size)),
    _row("stride_is_the_pool", "hard-coded-stride", FORWARD, "stride is the pool size, whatever was asked for",
         __init__=lambda self, stride, pool_size: FirstLargest.__init__(self, pool_size, pool_size)),
    _row("stride_and_pool_swapped", "axes-swapped", FORWARD, "stride and pool size are swapped",
         __init__=lambda self, stride, pool_size: FirstLargest.__init__(self, pool_size, stride)),
    _row("partial_windows", "wrong-shape", FORWARD, "what is left over at the edge counts as a window",
         output_shape=_round_up),
    _row("square_images_only", "axes-swapped", FORWARD, "the output is as high as wide",
         output_shape=lambda self, x: (*(s := FirstLargest.output_shape(self, x))[:3], s[2])),
    _row("overlap_overwritten", "not-accumulated", DIFFERENCES, "windows assign where they should add",
         add=_overwrite),
    _row("overlap_keeps_the_last", "not-accumulated", "gradient_conserves_the_upstream_sum",
         "an entry that is the largest of two windows gets one dLdy", add=_overwrite_nonzero),
    _row("mean_gradient", "wrong-operation", SUBGRADIENT, "dLdx spreads dLdy evenly over the window",
         share=lambda self, window: np.ones(window.shape) / self.pool_size**2),
    _row("all_to_every_tie", "full-gradient-to-ties", SUBGRADIENT, "every tied entry takes all of dLdy",
         share=lambda self, window: 1.0 * (window == window.max(axis=(2, 3), keepdims=True))),
    _row("none_to_ties", "no-gradient-to-ties", SUBGRADIENT, "tied entries take nothing", share=_unique_only),
    _row("near_ties", "full-gradient-to-ties", DIFFERENCES, "entries that are nearly equal share the gradient",
         share=_near_ties),
    _row("soft_maximum", "wrong-operation", DIFFERENCES, "the gradient is split by softmax(40 x)", share=_soft),
    _row("cut_to_integers", "integer-truncation", DIFFERENCES, "backprop looks for the maximum of int(x)",
         backprop=lambda self, x, u: FirstLargest.backprop(self, np.trunc(x), u)),
    _row("float32_maximum", "float32-inside", DIFFERENCES, "backprop looks for the maximum in float32",
         backprop=lambda self, x, u: FirstLargest.backprop(self, x.astype(np.float32), u)),
    _row("window_transposed", "axes-swapped", DIFFERENCES, "dLdy goes to the place mirrored at the diagonal",
         share=lambda self, window: FirstLargest.share(self, window).swapaxes(2, 3)),
    _row("upstream_ignored", "upstream-ignored", DIFFERENCES, "dLdx is the mask of the largest entries",
         backprop=lambda self, x, u: FirstLargest.backprop(self, x, np.ones_like(u))),
    _row("negated", "sign", DIFFERENCES, "dLdx is negated",
         backprop=lambda self, x, u: -FirstLargest.backprop(self, x, u)),
    _row("divided_by_area", "scaled", DIFFERENCES, "dLdx is divided by the area of the window",
         backprop=lambda self, x, u: FirstLargest.backprop(self, x, u) / self.pool_size**2),
    _row("slightly_off", "single-entry", DIFFERENCES, "the first entry of dLdx is 1e-6 too large",
         backprop=lambda self, x, u: (g := FirstLargest.backprop(self, x, u))
         * (1 + 1e-6 * (np.arange(g.size) == 0).reshape(g.shape))),
    _row("output_only", "wrong-shape", "gradients_have_the_shapes_of_their_arguments", "dLdx has the shape of y",
         backprop=lambda self, x, u: u.copy()),
    _row("not_written", "unfinished", DIFFERENCES, "backprop is still `pass`", backprop=lambda self, x, u: None),
    _row("upstream_positive", "upstream-nonlinear", "backprop_is_linear_in_the_upstream_gradient",
         "negative dLdy is dropped", backprop=lambda self, x, u: FirstLargest.backprop(self, x, np.maximum(u, 0))),
    _row("forward_clears_x", "mutates-argument", "arguments_are_left_alone", "forward sets negative x to 0",
         forward=_masking),
    _row("remembers_x", "keeps-state", "history_is_irrelevant", "backprop uses the x of the last forward",
         forward=_keep_mask, backprop=_from_kept),
    _row("random_tie", "non-deterministic", "history_is_irrelevant", "ties are broken at random",
         share=_random_tie),
    _row("largest_of_the_batch", "batch-coupled", "batch_items_are_independent",
         "the maximum runs over the batch too",
         largest=lambda self, window: window.max(axis=(0, 2, 3), initial=-np.inf) + 0 * window[:, :, 0, 0]),
    _row("memory_order", "assumes-layout", "memory_layout_is_irrelevant", "x is read in the order of its memory",
         forward=lambda self, x: FirstLargest.forward(self, x.ravel(order="K").reshape(x.shape))),
    _row("float32_forward", "float32-inside", "rounding_stays_within_the_bound", "forward computes in float32",
         forward=lambda self, x: FirstLargest.forward(self, x.astype(np.float32)).astype(float)),
    _row("float32_backprop", "float32-inside", "rounding_stays_within_the_bound", "backprop computes in float32",
         backprop=lambda self, x, u: FirstLargest.backprop(self, x, u.astype(np.float32)).astype(float)),
    _row("four_images", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdx of images after the fourth is lost",
         backprop=lambda self, x, u: FirstLargest.backprop(
             self, x, u * (np.arange(len(u)) < 4)[:, None, None, None])),
    _row("float16_results", "float32-inside", "float32_in_stays_within_its_bound", "float32 input gives float16",
         forward=lambda self, x: FirstLargest.forward(self, x).astype(
             np.float16 if x.dtype == np.float32 else float)),
    _row("integer_gradient", "integer-truncation", "integers_count_as_real_numbers",
         "dLdx has the dtype of x, so integers cut it off", backprop=_integer_gradient),
    _row("empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "forward takes x[0]",
         forward=lambda self, x: FirstLargest.forward(self, x) + 0 * x[0, 0, 0, 0]),
    _row("buffer_returned", "shares-memory", "results_share_no_memory", "y is a buffer that the next call overwrites",
         forward=_buffered),
    _row("any_x_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "an x smaller than the pool gives an empty y",
         forward=lambda self, x: FirstLargest.forward(self, x) if x.ndim == 4
         and min(x.shape[2:]) >= self.pool_size else np.zeros((0, 0, 0, 0))),
)  # fmt: skip

SECTIONS = (Section(max_pooling, VARIANTS, BUGS),)
