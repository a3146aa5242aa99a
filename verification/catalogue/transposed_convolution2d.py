"""Two-dimensional transposed convolution: correct layers and planted bugs."""

from functools import partial
from typing import Any

import numpy as np
from scipy.signal import convolve, correlate

from verification.case import Array
from verification.catalogue.any_layer import row
from verification.catalogue.bug import Section
from verification.catalogue.convolution_nd import with_settings
from verification.specs.transposed_convolution2d import transposed_convolution2d

Pair = tuple[int, int]


class Scatter:
    """A correct layer: for each entry of the filter, x weighted by it is added to a strided slice of y."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair, padding: Pair,
        output_padding: Pair, dilation: Pair, groups: int,
    ) -> None:  # fmt: skip
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.output_padding = output_padding
        self.W: Array = np.zeros((in_channels, out_channels // groups, *kernel_size))
        self.b: Array = np.zeros(out_channels)

    def full(self, side: int, axis: int) -> int:
        """Return how many rows or columns y has before it is cropped, for as many of x."""
        reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
        return (side - 1) * self.stride[axis] + reach + self.output_padding[axis]

    def output_shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"x should be (n, {self.in_channels}, h, w), but its shape is {x.shape}")
        sides = [self.full(x.shape[2 + axis], axis) - 2 * self.padding[axis] for axis in (0, 1)]
        if min(*x.shape[2:], *sides) < 1:
            raise ValueError(f"x should be larger, for y to have any entries, but its shape is {x.shape}")
        return len(x), self.out_channels, *sides

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != self.output_shape(x):
            raise ValueError(f"dLdy should have shape {self.output_shape(x)}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, in_channels, h, w) -> y (n, out_channels, ...)."""
        return self.scatter(x, self.output_shape(x)) + self.b[:, np.newaxis, np.newaxis]

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, dLdy -> dLdx, dLdW, dLdb."""
        self.check(x, dLdy)
        return self.input_gradient(x, dLdy), self.weight_gradient(x, dLdy), self.bias_gradient(dLdy)

    def tap(self, i: int, j: int, shape: tuple[int, ...]) -> Any:
        """Return the rows and columns that entry (i, j) of the filter reaches, for x of this shape."""
        top, left, (s, t) = i * self.dilation[0], j * self.dilation[1], self.stride
        return np.s_[..., top : top + shape[2] * s : s, left : left + shape[3] * t : t]

    def split(self, maps: Array) -> Array:
        """(n, channels, h, w) -> (n, groups, channels of a group, h, w)."""
        return maps.reshape(len(maps), self.groups, maps.shape[1] // self.groups, *maps.shape[2:])

    def filters(self) -> Array:
        """Return W by group, (groups, c, f, kh, kw)."""
        return self.W.reshape(self.groups, -1, *self.W.shape[1:])

    def canvas(self, x: Array, dtype: Any) -> Array:
        """Return zeros, as many as y has before it is cropped."""
        return np.zeros((len(x), self.out_channels, self.full(x.shape[2], 0), self.full(x.shape[3], 1)), dtype)

    def inside(self, shape: tuple[int, ...]) -> Any:
        """Return the index of y in the canvas."""
        p, q = self.padding
        return np.s_[:, :, p : p + shape[2], q : q + shape[3]]

    def scatter(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Return y without the bias."""
        y = self.canvas(x, np.result_type(x, self.W))
        for i, j in np.ndindex(self.kernel_size):
            part = np.einsum("ngchw,gcf->ngfhw", self.split(x), self.filters()[..., i, j])
            self.add(self.split(y), self.tap(i, j, x.shape), part)
        return np.asarray(y[self.inside(shape)])

    def add(self, y: Array, at: Any, part: Array) -> None:
        """Add what a tap gives."""
        y[at] += part

    def framed(self, x: Array, dLdy: Array) -> Array:
        """Return dLdy where y is in the canvas."""
        framed = self.canvas(x, np.result_type(dLdy, np.float32))
        framed[self.inside(dLdy.shape)] = dLdy
        return framed

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdx."""
        u = self.split(self.framed(x, dLdy))
        dLdx = np.zeros(self.split(x).shape, np.result_type(u, self.W))
        for i, j in np.ndindex(self.kernel_size):
            dLdx += np.einsum("ngfhw,gcf->ngchw", u[self.tap(i, j, x.shape)], self.filters()[..., i, j])
        return dLdx.reshape(x.shape)

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdW."""
        u = self.split(self.framed(x, dLdy))
        dLdW = np.zeros(self.W.shape, np.result_type(x, u))
        for i, j in np.ndindex(self.kernel_size):
            product = np.einsum("ngchw,ngfhw->gcf", self.split(x), u[self.tap(i, j, x.shape)])
            dLdW[..., i, j] = product.reshape(dLdW.shape[:2])
        return dLdW

    def bias_gradient(self, dLdy: Array) -> Array:
        """Return dLdb."""
        return np.asarray(dLdy.sum(axis=(0, 2, 3)))


class ZerosBetween(Scatter):
    """A correct layer: scipy.signal on x with zeros between its entries, and filters with zeros in their gaps."""

    def apart(self, maps: Array, gaps: Pair) -> Array:
        """Return arrays with zeros between their rows and columns."""
        h, w = maps.shape[2:]
        result = np.zeros((*maps.shape[:2], gaps[0] * (h - 1) + 1, gaps[1] * (w - 1) + 1), maps.dtype)
        result[:, :, :: gaps[0], :: gaps[1]] = maps
        return result

    def pairs(self) -> Any:
        """Yield each channel of x, channel of its group of y, and channel of y."""
        for c, f in np.ndindex(self.W.shape[:2]):
            yield c, f, c // (len(self.W) // self.groups) * self.W.shape[1] + f

    def scatter(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Convolve."""
        apart, filters, y = (
            self.apart(x, self.stride),
            self.apart(self.W, self.dilation),
            self.canvas(x, np.result_type(x, self.W)),
        )
        for n in range(len(x)):
            for c, f, channel in self.pairs():
                maps = convolve(apart[n, c], filters[c, f], mode="full", method="direct")
                y[n, channel, : maps.shape[0], : maps.shape[1]] += maps
        return np.asfortranarray(y[self.inside(shape)])

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Correlate, and pick."""
        framed, filters = self.framed(x, dLdy), self.apart(self.W, self.dilation)
        dLdx = np.zeros(x.shape, np.result_type(framed, filters))
        for n in range(len(x)):
            for c, f, channel in self.pairs():
                maps = correlate(framed[n, channel], filters[c, f], mode="valid", method="direct")
                dLdx[n, c] += maps[:: self.stride[0], :: self.stride[1]][: x.shape[2], : x.shape[3]]
        return dLdx


class Loops:
    """A correct layer: loops over every entry of x, and over the filter of each; its parameters have other names."""

    def __init__(self, c: int, f: int, k: Pair, s: Pair, p: Pair, o: Pair, d: Pair, g: int) -> None:
        self.k, self.s, self.p, self.o, self.d, self.g = k, s, p, o, d, g
        self.W: Array = np.zeros((c, f // g, *k))
        self.b: Array = np.zeros(f)

    def shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != 4 or x.shape[1] != len(self.W) or 0 in x.shape[2:]:
            raise ValueError(f"x of shape {x.shape} has not {len(self.W)} channels, or no pixels")
        h, w = (
            (x.shape[2 + a] - 1) * self.s[a] - 2 * self.p[a] + self.d[a] * (self.k[a] - 1) + self.o[a] + 1
            for a in (0, 1)
        )
        return len(x), len(self.b), h, w

    def visits(self, x: Array, shape: tuple[int, ...]) -> Any:
        """Yield the index of an entry of x, the part of its filter that reaches y, and where that part lands."""
        for n, c, i, j in np.ndindex(x.shape):
            group = c // (len(self.W) // self.g)
            rows = i * self.s[0] - self.p[0] + self.d[0] * np.arange(self.k[0])
            columns = j * self.s[1] - self.p[1] + self.d[1] * np.arange(self.k[1])
            down = np.flatnonzero((rows >= 0) & (rows < shape[2]))
            across = np.flatnonzero((columns >= 0) & (columns < shape[3]))
            f = np.arange(self.W.shape[1])
            landing = (n, *np.ix_(f + group * len(f), rows[down], columns[across]))
            yield (n, c, i, j), (c, *np.ix_(f, down, across)), landing

    def forward(self, x: Array) -> Array:
        """Add a weighted filter for each entry of x."""
        y = np.zeros(self.shape(x), np.result_type(x, self.W)) + self.b[:, np.newaxis, np.newaxis]
        for at, taps, landing in self.visits(x, y.shape):
            y[landing] += x[at] * self.W[taps]
        return np.asarray(y)

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Gather for each entry of x."""
        if dLdy.shape != self.shape(x):
            raise ValueError(f"dLdy of shape {dLdy.shape} should be {self.shape(x)}")
        dtype = np.result_type(x, self.W, dLdy)
        dLdx, dLdW = np.zeros(x.shape, dtype), np.zeros(self.W.shape, dtype)
        for at, taps, landing in self.visits(x, dLdy.shape):
            dLdx[at] = np.sum(dLdy[landing] * self.W[taps])
            dLdW[taps] += x[at] * dLdy[landing]
        return dLdx, dLdW, np.einsum("nfhw->f", dLdy)


def other_tap(part: str, **changed: Any) -> dict[str, Any]:
    """Return the method for a part of the layer whose taps are those of other settings, found from the layer."""
    right = getattr(Scatter, part)

    def method(self: Any, *given: Any) -> Any:
        tap = with_settings(self, **{name: value(self) for name, value in changed.items()}).tap
        return right(with_settings(self, tap=tap), *given)

    return {part: method}


def _assigned(self: Any, y: Array, at: Any, part: Array) -> None:
    y[at] = part


def _assigned_windows(self: Any, x: Array, shape: tuple[int, ...]) -> Array:
    y = self.canvas(x, np.result_type(x, self.W))
    for i, j in np.ndindex(x.shape[2:]):
        top, left, (d, e), (kh, kw) = i * self.stride[0], j * self.stride[1], self.dilation, self.kernel_size
        part = np.einsum("ngc,gcfij->ngfij", self.split(x)[..., i, j], self.filters())
        self.split(y)[..., top : top + d * kh : d, left : left + e * kw : e] = part
    return np.asarray(y[self.inside(shape)])


def _padded_first(self: Any, x: Array, shape: tuple[int, ...]) -> Array:
    uncropped = with_settings(self, padding=(0, 0))
    y = Scatter.scatter(uncropped, x, uncropped.output_shape(x))
    return np.asarray(np.roll(y, self.output_padding, axis=(2, 3))[self.inside(shape)])


def _interleaved(self: Any, maps: Array) -> Array:
    return maps.reshape(len(maps), self.groups, -1, *maps.shape[2:]).swapaxes(1, 2).reshape(maps.shape)


def _last_position(self: Any, x: Array, dLdy: Array) -> Array:
    last = np.zeros_like(x)
    last[:, :, -1, -1] = x[:, :, -1, -1]
    return Scatter.weight_gradient(self, last, dLdy)


def _kept(self: Any, x: Array) -> Array:
    self.x = x.copy()
    return Scatter.forward(self, x)


def _of_kept(self: Any, x: Array, dLdy: Array) -> Array:
    kept = getattr(self, "x", x)
    return Scatter.weight_gradient(self, kept if kept.shape == x.shape else x, dLdy)


def _canvas_used_again(self: Any, x: Array, dtype: Any) -> Array:
    kept = self.__dict__.setdefault("kept", {})
    return np.asarray(kept.setdefault((x.shape, np.dtype(dtype)), Scatter.canvas(self, x, dtype)))


def _buffered(self: Any, x: Array) -> Array:
    y = Scatter.forward(self, x)
    if getattr(self, "buffer", y[:0]).shape != y.shape:
        self.buffer = y.copy()
    self.buffer[...] = y
    return np.asarray(self.buffer)


def _bias_in_place(self: Any, x: Array) -> Array:
    y = Scatter.forward(self, x)
    x += 1
    return y


def _bias_where_reached(self: Any, x: Array) -> Array:
    y = Scatter.forward(with_settings(self, b=0 * self.b), x)
    h, w = (
        self.full(side, axis) - self.output_padding[axis] - self.padding[axis] for axis, side in enumerate(x.shape[2:])
    )
    y[:, :, :h, :w] += self.b[:, np.newaxis, np.newaxis]
    return y


_row = partial(row, Scatter)
FORWARD, ADJOINT = "forward_matches_reference", "backprop_is_the_adjoint"
CONVOLUTION, GROUPS = "is_the_adjoint_of_convolution", "groups_work_side_by_side"
PADDING = "padding_takes_rows_away_and_output_padding_adds_them"

BUGS = (
    _row("output_padding_forgotten", "wrong-shape", FORWARD, "output_padding is accepted, but not used",
         full=lambda self, side, axis: Scatter.full(self, side, axis) - self.output_padding[axis]),
    _row("output_padding_first", "shifted", PADDING, "output_padding adds rows before y, not after it",
         scatter=_padded_first),
    _row("padding_cropped_at_the_end", "padding-ignored", PADDING, "padding takes all its rows from the end of y",
         inside=lambda self, shape: np.s_[:, :, : shape[2], : shape[3]]),
    _row("windows_assigned", "not-accumulated", CONVOLUTION, "each entry of x assigns its filter to y",
         scatter=_assigned_windows),
    _row("taps_assigned", "not-accumulated", CONVOLUTION, "each entry of the filter assigns to y", add=_assigned),
    _row("filter_turned", "filter-flipped", CONVOLUTION, "forward turns the filter by 180 degrees",
         scatter=lambda self, x, shape: Scatter.scatter(with_settings(self, W=self.W[..., ::-1, ::-1]), x, shape)),
    _row("dilation_not_used", "dilation-ignored", FORWARD, "the filter has no gaps, though y has room for them",
         **other_tap("scatter", dilation=lambda self: (1, 1))),
    _row("stride_not_used", "stride-ignored", FORWARD, "filters land one entry apart, though y has room for more",
         **other_tap("scatter", stride=lambda self: (1, 1))),
    _row("groups_interleaved", "channels-mixed", GROUPS, "channels of y go round the groups in turn",
         scatter=lambda self, x, shape: _interleaved(self, Scatter.scatter(self, x, shape))),
    _row("bias_of_the_first_of_its_group", "bias-missing", FORWARD, "every map of a group adds the group's first b",
         forward=lambda self, x: self.scatter(x, self.output_shape(x))
         + np.repeat(self.b[:: self.W.shape[1]], self.W.shape[1])[:, None, None]),
    _row("bias_before_cropping", "bias-missing", FORWARD, "b is added only where x reaches, not to output_padding",
         forward=lambda self, x: _bias_where_reached(self, x)),
    _row("dLdx_dilation_ignored", "dilation-ignored", ADJOINT, "dLdx reads dLdy without the gaps of the filter",
         **other_tap("input_gradient", dilation=lambda self: (1, 1))),
    _row("dLdW_stride_ignored", "stride-ignored", ADJOINT, "dLdW reads dLdy one entry apart",
         **other_tap("weight_gradient", stride=lambda self: (1, 1))),
    _row("stride_of_the_height", "axes-swapped", CONVOLUTION, "filters land apart by the stride of the height in both axes",
         **other_tap("scatter", stride=lambda self: self.stride[:1] * 2)),
    _row("dLdx_padding_ignored", "padding-ignored", ADJOINT, "dLdx reads dLdy as if nothing had been cropped",
         input_gradient=lambda self, x, u: Scatter.input_gradient(
             with_settings(self, inside=with_settings(self, padding=(0, 0)).inside), x, u)),
    _row("dLdx_groups_interleaved", "channels-mixed", ADJOINT, "channels of dLdx go round the groups in turn",
         input_gradient=lambda self, x, u: _interleaved(self, Scatter.input_gradient(self, x, u))
         if x.size else Scatter.input_gradient(self, x, u)),
    _row("dLdx_filter_turned", "filter-not-flipped", ADJOINT, "dLdx has the filter turned by 180 degrees",
         input_gradient=lambda self, x, u: Scatter.input_gradient(with_settings(self, W=self.W[..., ::-1, ::-1]), x, u)),
    _row("dLdW_of_the_last_position", "not-accumulated", ADJOINT, "dLdW is assigned position by position",
         weight_gradient=_last_position),
    _row("dLdb_of_one_position", "bias-not-summed", ADJOINT, "dLdb is that of the first position",
         bias_gradient=lambda self, u: u[:, :, 0, 0].sum(axis=0)),
    _row("dLdb_averaged", "scaled", ADJOINT, "dLdb is the mean over positions",
         bias_gradient=lambda self, u: u.mean(axis=(2, 3)).sum(axis=0)),
    _row("gradient_of_twice_W", "wrong-formula", "backprop_matches_directional_differences",
         "forward multiplies by 2 W, backprop does not",
         forward=lambda self, x: Scatter.forward(with_settings(self, W=2 * self.W), x)),
    _row("upstream_cut", "upstream-nonlinear", "backprop_is_linear_in_the_upstream_gradient", "negative dLdy is dropped",
         backprop=lambda self, x, u: Scatter.backprop(self, x, np.maximum(u, 0))),
    _row("dLdW_transposed", "wrong-shape", "gradients_have_the_shapes_of_their_arguments",
         "dLdW is (out / groups, in, kh, kw), as for convolution",
         weight_gradient=lambda self, x, u: Scatter.weight_gradient(self, x, u).swapaxes(0, 1)),
    _row("changes_x", "mutates-argument", "arguments_are_left_alone", "forward adds 1 to x", forward=_bias_in_place),
    _row("canvas_used_again", "keeps-state", "history_is_irrelevant", "y is added to that of the last call",
         canvas=_canvas_used_again),
    _row("dLdW_of_the_last_forward", "keeps-state", "history_is_irrelevant", "dLdW uses the x of the last forward",
         forward=_kept, weight_gradient=_of_kept),
    _row("centred_by_batch", "batch-coupled", "batch_items_are_independent", "x is centred over the batch first",
         forward=lambda self, x: Scatter.forward(self, x - np.floor(x.mean(axis=0)) if len(x) > 1 else x)),
    _row("order_of_memory", "assumes-layout", "memory_layout_is_irrelevant", "W is read in the order of its memory",
         filters=lambda self: self.W.ravel(order="K").reshape(self.groups, -1, *self.W.shape[1:])),
    _row("canvas_in_float32", "float32-inside", "rounding_stays_within_the_bound", "y is always added up in float32",
         canvas=lambda self, x, dtype: Scatter.canvas(self, x, np.float32)),
    _row("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
         forward=lambda self, x: Scatter.forward(self, x * (np.arange(len(x)) < 3)[:, None, None, None])),
    _row("y_in_a_buffer", "shares-memory", "results_share_no_memory", "y is a buffer that the next call overwrites",
         forward=_buffered),
    _row("float16_results", "float32-inside", "float32_in_stays_within_its_bound", "float32 input gives float16",
         forward=lambda self, x: Scatter.forward(self, x).astype(np.float16 if x.dtype == np.float32 else float)),
    _row("canvas_of_the_type_of_x", "integer-truncation", "integers_count_as_real_numbers",
         "y is added up in the dtype of x", canvas=lambda self, x, dtype: Scatter.canvas(self, x, x.dtype),
         add=lambda self, y, at, part: np.add(y[at], part, out=y[at], casting="unsafe")),
    _row("empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "the dtype is taken from x[0]",
         forward=lambda self, x: Scatter.forward(self, x.astype(x[0].dtype))),
    _row("any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdy of a wrong shape is cut to size",
         backprop=lambda self, x, u: Scatter.backprop(
             self, x, u[: len(x), :, : self.output_shape(x)[2], : self.output_shape(x)[3]])),
)  # fmt: skip

SECTIONS = (Section(transposed_convolution2d, (Scatter, ZerosBetween, Loops), BUGS),)
