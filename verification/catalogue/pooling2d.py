"""Two-dimensional pooling: correct layers and planted bugs."""

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter
from scipy.signal import correlate

from verification.case import Array
from verification.catalogue.bug import Bug, Section, change
from verification.specs.pooling2d import average_pooling2d, global_average_pooling, global_max_pooling, max_pooling2d

Pair = tuple[int, int]


class Pooling:
    """What the layers below share: shapes, windows of x in its frame, and what backprop does with them."""

    def __init__(self, kernel_size: Pair, stride: Pair, padding: Pair, count_include_pad: bool = True) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.count_include_pad = count_include_pad

    def side(self, side: int, axis: int) -> int:
        """Return how many rows or columns y has for as many of x."""
        return (side + 2 * self.padding[axis] - self.kernel_size[axis]) // self.stride[axis] + 1

    def output_shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != 4 or min(sides := (*x.shape[2:], self.side(x.shape[2], 0), self.side(x.shape[3], 1))) < 1:
            raise ValueError(f"x should be (n, c, h, w) and as large as the window, but its shape is {x.shape}")
        return *x.shape[:2], *sides[2:]

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != self.output_shape(x):
            raise ValueError(f"dLdy should have shape {self.output_shape(x)}, but its shape is {dLdy.shape}")

    def frame(self, x: Array, value: float) -> Array:
        """Return x in a frame of this value."""
        (p, q), x = self.padding, x.astype(x.dtype if x.dtype.kind == "f" else float)
        return np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=value)

    def window(self, i: int, j: int) -> Any:
        """Return the index of window (i, j) in the frame."""
        top, left = i * self.stride[0], j * self.stride[1]
        return np.s_[:, :, top : top + self.kernel_size[0], left : left + self.kernel_size[1]]

    def forward(self, x: Array) -> Array:
        """x (n, c, h, w) -> y."""
        framed = self.frame(x, self.value())
        y = np.zeros(self.output_shape(x), framed.dtype)
        for i, j in np.ndindex(y.shape[2:]):
            y[:, :, i, j] = self.pool(framed[self.window(i, j)], i, j, x.shape)
        return y

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        framed = self.frame(x, self.value())
        dLdframed = np.zeros(framed.shape, np.result_type(dLdy, np.float32))
        for i, j in np.ndindex(dLdy.shape[2:]):
            part = self.share(framed[self.window(i, j)], i, j, x.shape) * dLdy[:, :, i : i + 1, j : j + 1]
            self.add(dLdframed, self.window(i, j), part.astype(dLdframed.dtype))
        return self.crop(dLdframed, x.shape)

    def add(self, dLdframed: Array, window: Any, part: Array) -> None:
        """Add what a window gives."""
        dLdframed[window] += part

    def crop(self, framed: Array, shape: tuple[int, ...]) -> Array:
        """Return what is inside the frame, as a new array."""
        p, q = self.padding
        return framed[:, :, p : p + shape[2], q : q + shape[3]].copy()

    def value(self) -> float:
        """Return what the frame consists of."""
        return 0.0

    def pool(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """(n, c, kh, kw) -> (n, c)."""
        raise NotImplementedError

    def share(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """Return the part of dLdy that each entry of the window takes."""
        raise NotImplementedError


class Largest(Pooling):
    """A correct layer: loops over windows; among equal entries the first takes the gradient."""

    def value(self) -> float:
        """Return what is never the largest."""
        return -np.inf

    def pool(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """Take the largest."""
        return np.asarray(window.max(axis=(2, 3)))

    def share(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """Return 1 at the first largest entry."""
        flat = window.reshape(*window.shape[:2], math.prod(window.shape[2:]))
        first = flat.argmax(axis=2)[..., np.newaxis] == np.arange(flat.shape[2])
        return np.asarray(first.reshape(window.shape), float)


class EvenLargest(Largest):
    """A correct layer: equal entries share the gradient evenly."""

    def share(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """Divide by the number of entries that are the largest."""
        tied = window == window.max(axis=(2, 3), keepdims=True)
        return np.asarray(tied / tied.sum(axis=(2, 3), keepdims=True))


class LargestByIndex(Largest):
    """A correct layer: argmax over a sliding-window view, and np.add.at; results in Fortran order."""

    def windows(self, x: Array) -> Array:
        """x -> (n, c, oh, ow, kh * kw)."""
        view = sliding_window_view(self.frame(x, -np.inf), self.kernel_size, axis=(2, 3))
        view = view[:, :, :: self.stride[0], :: self.stride[1]]
        return view.reshape(*view.shape[:4], math.prod(self.kernel_size))

    def forward(self, x: Array) -> Array:
        """Take the maximum of each row."""
        self.output_shape(x)
        return np.asfortranarray(self.windows(x).max(axis=4))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Scatter to the place of the last maximum."""
        self.check(x, dLdy)
        at = math.prod(self.kernel_size) - 1 - self.windows(x)[..., ::-1].argmax(axis=4)
        n, c, i, j = np.indices(at.shape)
        rows = i * self.stride[0] - self.padding[0] + at // self.kernel_size[1]
        columns = j * self.stride[1] - self.padding[1] + at % self.kernel_size[1]
        dLdx = np.zeros(x.shape, np.result_type(dLdy, np.float32), order="F")
        np.add.at(dLdx, (n, c, rows, columns), dLdy)
        return dLdx


class LargestFilter(Largest):
    """A correct layer: scipy.ndimage.maximum_filter, of which every stride-th entry is taken."""

    def forward(self, x: Array) -> Array:
        """Filter x in its frame, and drop what overlaps the edges."""
        _, _, h, w = self.output_shape(x)
        (kh, kw), (s, t) = self.kernel_size, self.stride
        if len(x) == 0:
            return super().forward(x)
        centred = maximum_filter(self.frame(x, -np.inf), size=(1, 1, kh, kw))
        return np.asarray(centred[:, :, kh // 2 : kh // 2 + h * s : s, kw // 2 : kw // 2 + w * t : t])


class Average(Pooling):
    """A correct layer: loops over windows."""

    def area(self, i: int, j: int, shape: tuple[int, ...]) -> int:
        """Return how many entries the sum of window (i, j) is divided by."""
        if self.count_include_pad:
            return math.prod(self.kernel_size)
        return self.inside(i, 0, shape[2]) * self.inside(j, 1, shape[3])

    def inside(self, i: int, axis: int, side: int) -> int:
        """Return how many rows or columns of window i are not padding."""
        first = i * self.stride[axis] - self.padding[axis]
        return min(first + self.kernel_size[axis], side) - max(first, 0)

    def pool(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """Divide the sum by the area."""
        return np.asarray(window.sum(axis=(2, 3)) / self.area(i, j, shape), window.dtype)

    def share(self, window: Array, i: int, j: int, shape: tuple[int, ...]) -> Array:
        """Return the same for all entries."""
        return np.full(window.shape, 1 / self.area(i, j, shape))


class AverageByCorrelation(Average):
    """A correct layer: correlation with a filter of ones, divided by that of ones; results in Fortran order."""

    def sums(self, framed: Array) -> Array:
        """Return the sums of all windows, of every image and channel."""
        sums = correlate(framed, np.ones((1, 1, *self.kernel_size), framed.dtype), mode="valid", method="direct")
        return np.asarray(sums[:, :, :: self.stride[0], :: self.stride[1]])

    def areas(self, x: Array) -> Array:
        """Return what the sums are divided by, (1, 1, oh, ow)."""
        return self.sums(self.frame(np.ones((1, 1, *x.shape[2:])), float(self.count_include_pad)))

    def forward(self, x: Array) -> Array:
        """Divide sums by areas."""
        shape = self.output_shape(x)
        if len(x) == 0:
            return np.zeros(shape)
        y = self.sums(self.frame(x, 0))
        return np.asfortranarray(y / self.areas(x).astype(y.dtype))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Add dLdy, divided by the areas, to the slice of x that each place of a window meets."""
        self.check(x, dLdy)
        u = dLdy / self.areas(x)
        framed = np.zeros(self.frame(x, 0).shape, np.result_type(dLdy, np.float32))
        (s, t), (h, w) = self.stride, dLdy.shape[2:]
        for i, j in np.ndindex(self.kernel_size):
            framed[:, :, i : i + h * s : s, j : j + w * t : t] += u.astype(framed.dtype)
        return self.crop(framed, x.shape)


class AverageByMatrices(Average):
    """A correct layer: one matrix for rows and one for columns, y = R x C', dLdx = R' dLdy C."""

    def matrix(self, side: int, axis: int) -> Array:
        """Return (rows of y, rows of x): the weight of each in the average."""
        first = np.arange(self.side(side, axis))[:, np.newaxis] * self.stride[axis] - self.padding[axis]
        at = np.arange(side)
        inside = (at >= first) & (at < first + self.kernel_size[axis])
        return np.asarray(
            inside / (self.kernel_size[axis] if self.count_include_pad else inside.sum(axis=1, keepdims=True))
        )

    def matrices(self, x: Array, dtype: Any) -> tuple[Array, Array]:
        """Return R and C."""
        return self.matrix(x.shape[2], 0).astype(dtype), self.matrix(x.shape[3], 1).astype(dtype)

    def forward(self, x: Array) -> Array:
        """Multiply with both; the weights are rounded, so the averages are too."""
        self.output_shape(x)
        R, C = self.matrices(x, np.result_type(x, np.float32))
        return np.asarray(R @ x @ C.T)

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Multiply with both, transposed."""
        self.check(x, dLdy)
        R, C = self.matrices(x, np.result_type(dLdy, np.float32))
        return np.asarray(R.T @ dLdy @ C)


class GlobalLargest:
    """A correct layer: the first of the largest entries of each channel."""

    def flat(self, x: Array) -> Array:
        """(n, c, h, w) -> (n, c, h * w), or raise."""
        if x.ndim != 4 or 0 in x.shape[2:]:
            raise ValueError(f"x should be (n, c, h, w) and have pixels, but its shape is {x.shape}")
        return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if x.ndim != 4 or dLdy.shape != x.shape[:2]:
            raise ValueError(f"dLdy should have shape {x.shape[:2]}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, c, h, w) -> y (n, c)."""
        return self.pool(self.flat(x))

    def pool(self, flat: Array) -> Array:
        """(n, c, h * w) -> (n, c)."""
        return np.asarray(flat.max(axis=2))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        u = dLdy.astype(np.result_type(dLdy, np.float32))[..., np.newaxis]
        return np.asarray((self.share(self.flat(x)).astype(u.dtype) * u).reshape(x.shape))

    def share(self, flat: Array) -> Array:
        """Return the part of dLdy that each entry takes, (n, c, h * w)."""
        return np.asarray(flat.argmax(axis=2)[..., np.newaxis] == np.arange(flat.shape[2]))


class GlobalLargestShared(GlobalLargest):
    """A correct layer: np.maximum.reduce over rows and columns, and equal entries share the gradient evenly."""

    def forward(self, x: Array) -> Array:
        """Reduce rows, then columns."""
        self.flat(x)
        return np.asarray(np.maximum.reduce(np.maximum.reduce(x, axis=3), axis=2))

    def share(self, flat: Array) -> Array:
        """Divide by the number of entries that are the largest."""
        tied = flat == flat.max(axis=2, keepdims=True)
        return np.asarray(tied / tied.sum(axis=2, keepdims=True))


class GlobalAverage(GlobalLargest):
    """A correct layer: the mean of each channel."""

    def pool(self, flat: Array) -> Array:
        """Take the mean."""
        return np.asarray(flat.mean(axis=2))

    def share(self, flat: Array) -> Array:
        """Return 1 / (h w) everywhere."""
        return np.full(flat.shape, 1 / flat.shape[2])


class GlobalAverageProduct(GlobalAverage):
    """A correct layer: a product with ones, divided; an outer product for the gradient."""

    def forward(self, x: Array) -> Array:
        """Sum by einsum."""
        self.flat(x)
        return np.asarray(np.einsum("nchw->nc", x.astype(np.result_type(x, np.float32))) / (x.shape[2] * x.shape[3]))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Divide and repeat."""
        self.check(x, dLdy)
        share = (dLdy / (x.shape[2] * x.shape[3])).astype(np.result_type(dLdy, np.float32))
        return np.repeat(np.repeat(share[..., np.newaxis, np.newaxis], x.shape[2], axis=2), x.shape[3], axis=3)


# Small changes


def _assign(self: Any, dLdframed: Array, window: Any, part: Array) -> None:
    dLdframed[window] = part


def _assign_nonzero(self: Any, dLdframed: Array, window: Any, part: Array) -> None:
    dLdframed[window] = np.where(part != 0, part, dLdframed[window])


def _unique_only(self: Any, window: Array, *_where: Any) -> Array:
    tied = window == window.max(axis=(2, 3), keepdims=True)
    return np.asarray(tied & (tied.sum(axis=(2, 3), keepdims=True) == 1), float)


def _rounded_up(self: Any, side: int, axis: int) -> int:
    return int(-(-(side + 2 * self.padding[axis] - self.kernel_size[axis]) // self.stride[axis]) + 1)


def _clears_negative(self: Any, x: Array) -> Array:
    y = Pooling.forward(self, x)
    x[x < 0] = 0
    return y


def _random_tie(self: Any, window: Array, *where: Any) -> Array:
    turn = np.s_[:, :, :: 1 - 2 * np.random.default_rng().integers(2)]
    return Largest.share(self, window[turn], *where)[turn]


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


def _kept_gradient(self: Any, x: Array, dLdy: Array) -> Array:
    dLdx = Pooling.backprop(self, x, dLdy)
    kept = getattr(self, "dLdx", 0 * dLdx)
    self.dLdx = dLdx + kept if kept.shape == dLdx.shape else dLdx
    return np.array(self.dLdx)


def _buffered(self: Any, x: Array) -> Array:
    y = Pooling.forward(self, x)
    if getattr(self, "buffer", y[:0]).shape != y.shape:
        self.buffer = y.copy()
    self.buffer[...] = y
    return np.asarray(self.buffer)


def _cut(self: Any, x: Array, u: Array) -> Array:
    _, _, h, w = self.output_shape(x)
    return Pooling.backprop(self, x, u[: len(x), :, :h, :w])


def _halves_upstream(self: Any, x: Array, dLdy: Array) -> Array:
    dLdx = Pooling.backprop(self, x, dLdy)
    dLdy /= 2
    return dLdx


def _float16(base: Any) -> Any:
    return lambda self, x: base.forward(self, x).astype(np.float16 if x.dtype == np.float32 else float)


def _first_images(base: Any) -> Any:
    return lambda self, x: base.forward(self, x * (np.arange(len(x)) < 3)[:, None, None, None])


def _by_memory(base: Any) -> Any:
    return lambda self, x: base.forward(self, x.ravel(order="K").reshape(x.shape))


def _float32(base: Any) -> Any:
    return lambda self, x: base.forward(self, x.astype(np.float32)).astype(float)


def _first_dtype(base: Any) -> Any:
    return lambda self, x: base.forward(self, x.astype(x[0].dtype))


def _of_type_of_x(base: Any) -> Any:
    return lambda self, x, u: base.backprop(self, x, u).astype(x.dtype)


def _positive_upstream(base: Any) -> Any:
    return lambda self, x, u: base.backprop(self, x, np.maximum(u, 0))


def _centred(base: Any) -> Any:
    return lambda self, x: base.forward(self, x - np.floor(x.mean(axis=0)) if len(x) > 1 else x)


def _rows(base: type) -> Any:
    def row(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return Bug(name, family, caught_by, description, change(base, f"{base.__name__}_{name}", **methods))

    return row


FORWARD, DIFFERENCES, ADJOINT = (
    "forward_matches_reference", "backprop_matches_directional_differences", "backprop_is_the_adjoint",
)  # fmt: skip
SUBGRADIENT, CONSTANT, EXTREMES = (
    "gradient_is_a_subgradient",
    "follows_a_constant_added_to_x",
    "extremes_come_out_right",
)
SUM, LINEAR = "gradient_conserves_the_upstream_sum", "backprop_is_linear_in_the_upstream_gradient"
SHAPES = "gradients_have_the_shapes_of_their_arguments"


def _general(base: Any, row: Any) -> tuple[Bug, ...]:
    """Return bugs that each of these layers may have."""
    return (
        row("upstream_cut", "upstream-nonlinear", LINEAR, "negative dLdy is dropped", backprop=_positive_upstream(base)),
        row("order_of_memory", "assumes-layout", "memory_layout_is_irrelevant", "x is read in the order of its memory",
            forward=_by_memory(base)),
        row("centred_by_batch", "batch-coupled", "batch_items_are_independent", "x is centred over the batch first",
            forward=_centred(base)),
        row("float32_forward", "float32-inside", "rounding_stays_within_the_bound", "forward computes in float32",
            forward=_float32(base)),
        row("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
            forward=_first_images(base)),
        row("float16_results", "float32-inside", "float32_in_stays_within_its_bound", "float32 input gives float16",
            forward=_float16(base)),
        row("integer_gradient", "integer-truncation", "integers_count_as_real_numbers", "dLdx has the dtype of x",
            backprop=_of_type_of_x(base)),
        row("empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "the dtype is taken from x[0]",
            forward=_first_dtype(base)),
        row("no_result", "unfinished", SHAPES, "backprop returns nothing", backprop=lambda self, x, u: None),
    )  # fmt: skip


_max = _rows(Largest)
MAX_BUGS = (
    _max("padded_with_zeros", "padding-value", CONSTANT, "padding counts as 0, not as minus infinity",
         value=lambda self: 0.0),
    _max("padded_with_a_number", "padding-value", EXTREMES, "padding counts as -1e9", value=lambda self: -1e9),
    _max("starts_at_zero", "zero-start", FORWARD, "the running maximum starts at 0",
         pool=lambda self, window, *_: np.maximum(window.max(axis=(2, 3)), 0)),
    _max("stride_is_the_window", "hard-coded-stride", FORWARD, "stride is the window's size, whatever was asked for",
         __init__=lambda self, kernel_size, stride, padding: Pooling.__init__(self, kernel_size, kernel_size, padding)),
    _max("strides_swapped", "axes-swapped", FORWARD, "strides of height and width are swapped",
         __init__=lambda self, kernel_size, stride, padding: Pooling.__init__(self, kernel_size, stride[::-1], padding)),
    _max("partial_windows", "wrong-shape", FORWARD, "what is left over by the stride counts as a window",
         side=_rounded_up),
    _max("gradient_without_cropping", "padding-ignored", DIFFERENCES, "dLdx is cut from the corner of its frame",
         crop=lambda self, framed, shape: framed[:, :, : shape[2], : shape[3]].copy()),
    _max("overlap_overwritten", "not-accumulated", DIFFERENCES, "windows assign where they should add", add=_assign),
    _max("overlap_keeps_the_last", "not-accumulated", SUM, "an entry that is the largest of two windows gets one dLdy",
         add=_assign_nonzero),
    _max("mean_gradient", "wrong-operation", SUBGRADIENT, "dLdx spreads dLdy evenly over the window",
         share=lambda self, window, *_: np.isfinite(window) / np.isfinite(window[:1, :1]).sum()),
    _max("all_to_every_tie", "full-gradient-to-ties", SUBGRADIENT, "every tied entry takes all of dLdy",
         share=lambda self, window, *_: 1.0 * (window == window.max(axis=(2, 3), keepdims=True))),
    _max("none_to_ties", "no-gradient-to-ties", SUBGRADIENT, "tied entries take nothing", share=_unique_only),
    _max("random_tie", "non-deterministic", "history_is_irrelevant", "ties are broken at random", share=_random_tie),
    _max("gradient_of_the_last_x", "keeps-state", "history_is_irrelevant", "backprop uses the x of the last forward",
         forward=_kept, backprop=_of_kept),
    _max("x_cleared", "mutates-argument", "arguments_are_left_alone", "forward sets negative x to 0",
         forward=_clears_negative),
    _max("y_in_a_buffer", "shares-memory", "results_share_no_memory", "y is a buffer that the next call overwrites",
         forward=_buffered),
    _max("any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdy of a wrong shape is cut to size",
         backprop=_cut),
    *_general(Largest, _max),
)  # fmt: skip

_mean = _rows(Average)
AVERAGE_BUGS = (
    _mean("counts_padding", "wrong-formula", FORWARD, "count_include_pad is accepted, but always true",
          area=lambda self, *_: math.prod(self.kernel_size)),
    _mean("never_counts_padding", "wrong-formula", "average_of_ones_is_the_part_inside",
          "count_include_pad is accepted, but always false",
          area=lambda self, i, j, shape: self.inside(i, 0, shape[2]) * self.inside(j, 1, shape[3])),
    _mean("height_squared", "axes-swapped", FORWARD, "sums are divided by the height of the window, squared",
          area=lambda self, *_: self.kernel_size[0] ** 2),
    _mean("sums", "term-missing", FORWARD, "sums are not divided",
          pool=lambda self, window, *_: window.sum(axis=(2, 3))),
    _mean("divided_by_strides", "wrong-formula", FORWARD, "sums are divided by the product of the strides",
          area=lambda self, *_: math.prod(self.stride)),
    _mean("gradient_not_divided", "term-missing", ADJOINT, "dLdx is not divided",
          share=lambda self, window, *_: np.ones(window.shape)),
    _mean("gradient_counts_padding", "wrong-formula", "gradient_conserves_the_upstream_sum_without_padding",
          "dLdx is divided by the area of the window, padding or not",
          share=lambda self, window, *_: np.full(window.shape, 1 / math.prod(self.kernel_size))),
    _mean("overlap_overwritten", "not-accumulated", ADJOINT, "windows assign where they should add", add=_assign),
    _mean("gradient_without_cropping", "padding-ignored", ADJOINT, "dLdx is cut from the corner of its frame",
          crop=lambda self, framed, shape: framed[:, :, : shape[2], : shape[3]].copy()),
    _mean("strides_swapped", "axes-swapped", FORWARD, "windows have the right number, but lie apart by the other stride",
          window=lambda self, i, j: Pooling.window(Pooling(self.kernel_size, self.stride[::-1], (0, 0)), i, j)),
    _mean("floor_division", "integer-truncation", "rounding_stays_within_the_bound", "sums are divided by //",
          pool=lambda self, window, i, j, shape: window.sum(axis=(2, 3)) // self.area(i, j, shape)),
    _mean("forward_doubled", "scaled", DIFFERENCES, "forward is twice the average, backprop is not",
          pool=lambda self, *given: 2 * Average.pool(self, *given)),
    _mean("gradient_adds_up", "keeps-state", "history_is_irrelevant", "dLdx of the last call is added to this one",
          backprop=_kept_gradient),
    _mean("same_x", "keeps-state", "history_is_irrelevant", "y is remembered as long as x is the same object",
          forward=_same_x),
    _mean("dLdy_halved", "mutates-argument", "arguments_are_left_alone", "backprop divides dLdy in place",
          backprop=_halves_upstream),
    _mean("y_in_a_buffer", "shares-memory", "results_share_no_memory", "y is a buffer that the next call overwrites",
          forward=_buffered),
    _mean("any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdy of a wrong shape is cut to size",
          backprop=_cut),
    *_general(Average, _mean),
)  # fmt: skip


def _global(base: Any, row: Any) -> tuple[Bug, ...]:
    """Return bugs that both layers over all of a channel may have."""

    def kept(self: Any, x: Array) -> Array:
        self.x = x.copy()
        return np.asarray(base.forward(self, x))

    def of_kept(self: Any, x: Array, u: Array) -> Array:
        last = getattr(self, "x", x)
        return np.asarray(base.backprop(self, x, u) * (1 + (last.shape == x.shape and last.sum() != x.sum())))

    def cleared(self: Any, x: Array, u: Array) -> Array:
        dLdx = np.asarray(base.backprop(self, x, u))
        u[...] = 0
        return dLdx

    def buffered(self: Any, x: Array) -> Array:
        y = base.forward(self, x)
        if getattr(self, "buffer", y[:0]).shape != y.shape:
            self.buffer = y.copy()
        self.buffer[...] = y
        return np.asarray(self.buffer)

    return (
        row("kept_dimensions", "wrong-shape", FORWARD, "y is (n, c, 1, 1)",
            forward=lambda self, x: base.forward(self, x)[..., np.newaxis, np.newaxis]),
        row("last_row_lost", "border-missing", FORWARD, "the last row of x is left out",
            forward=lambda self, x: base.forward(self, x[:, :, : max(1, x.shape[2] - 1)])),
        row("other_x", "keeps-state", "history_is_irrelevant", "backprop doubles dLdx if the last x was another",
            forward=kept, backprop=of_kept),
        row("dLdy_cleared", "mutates-argument", "arguments_are_left_alone", "backprop clears dLdy", backprop=cleared),
        row("y_in_a_buffer", "shares-memory", "results_share_no_memory", "y is a buffer that the next call overwrites",
            forward=buffered),
        row("any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdy may be of any shape",
            check=lambda self, x, u: None,
            backprop=lambda self, x, u: base.backprop(self, x, u.reshape(len(u), -1)[:, : x.shape[1]])),
        *_general(base, row),
    )  # fmt: skip


_gmax = _rows(GlobalLargest)
GLOBAL_MAX_BUGS = (
    _gmax("starts_at_zero", "zero-start", CONSTANT, "the running maximum starts at 0",
          pool=lambda self, flat: np.maximum(flat.max(axis=2), 0)),
    _gmax("all_to_every_tie", "full-gradient-to-ties", "global_gradient_is_a_subgradient",
          "every tied entry takes all of dLdy", share=lambda self, flat: flat == flat.max(axis=2, keepdims=True)),
    _gmax("mean_gradient", "wrong-operation", DIFFERENCES, "dLdx spreads dLdy evenly", share=GlobalAverage.share),
    _gmax("over_all_channels", "channels-mixed", FORWARD, "y is the largest entry of the image, whatever the channel",
          pool=lambda self, flat: flat.max(axis=2) * 0 + flat.max(axis=(1, 2), initial=-np.inf)[:, np.newaxis]),
    _gmax("height_and_width_swapped", "axes-swapped", DIFFERENCES, "dLdx is that of x with its axes swapped",
          backprop=lambda self, x, u: np.ascontiguousarray(
              GlobalLargest.backprop(self, x, u).swapaxes(2, 3)).reshape(x.shape)),
    *_global(GlobalLargest, _gmax),
)  # fmt: skip

_gmean = _rows(GlobalAverage)
GLOBAL_AVERAGE_BUGS = (
    _gmean("sums", "term-missing", FORWARD, "sums are not divided", pool=lambda self, flat: flat.sum(axis=2)),
    _gmean("gradient_not_divided", "term-missing", ADJOINT, "dLdx is not divided",
           share=lambda self, flat: np.ones(flat.shape)),
    _gmean("first_entry_takes_all", "wrong-operation", "gradient_is_the_same_all_over_a_channel",
           "all of dLdy goes to one entry", share=lambda self, flat: np.arange(flat.shape[2]) == flat.argmax(axis=2)[..., None]),
    _gmean("largest", "wrong-operation", FORWARD, "y is the largest entry", pool=lambda self, flat: flat.max(axis=2)),
    _gmean("absolute_values", "wrong-formula", CONSTANT, "absolute values are averaged",
           pool=lambda self, flat: abs(flat).mean(axis=2)),
    *_global(GlobalAverage, _gmean),
)  # fmt: skip

SECTIONS = (
    Section(max_pooling2d, (Largest, EvenLargest, LargestByIndex, LargestFilter), MAX_BUGS),
    Section(average_pooling2d, (Average, AverageByCorrelation, AverageByMatrices), AVERAGE_BUGS),
    Section(global_max_pooling, (GlobalLargest, GlobalLargestShared), GLOBAL_MAX_BUGS),
    Section(global_average_pooling, (GlobalAverage, GlobalAverageProduct), GLOBAL_AVERAGE_BUGS),
)
