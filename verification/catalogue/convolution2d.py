"""Two-dimensional convolution with stride, padding, dilation and groups: correct layers and planted bugs."""

from copy import copy
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.signal import correlate

from verification.case import Array
from verification.catalogue.bug import Bug, Section, change
from verification.specs.convolution2d import convolution2d

Pair = tuple[int, int]


class Taps:
    """A correct layer: for each entry of the filter one product with a strided slice of the padded x."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair, padding: Pair,
        dilation: Pair, groups: int,
    ) -> None:  # fmt: skip
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.W: Array = np.zeros((out_channels, in_channels // groups, *kernel_size))
        self.b: Array = np.zeros(out_channels)

    def reach(self, axis: int) -> int:
        """Return how many rows or columns a filter reaches over."""
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1

    def side(self, side: int, axis: int) -> int:
        """Return how many rows or columns y has for as many of x."""
        return (side + 2 * self.padding[axis] - self.reach(axis)) // self.stride[axis] + 1

    def output_shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"x should be (n, {self.in_channels}, h, w), but its shape is {x.shape}")
        sides = self.side(x.shape[2], 0), self.side(x.shape[3], 1)
        if min(*x.shape[2:], *sides) < 1:
            raise ValueError(f"x should be at least as large as the filter, but its shape is {x.shape}")
        return len(x), self.out_channels, *sides

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != self.output_shape(x):
            raise ValueError(f"dLdy should have shape {self.output_shape(x)}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, in_channels, h, w) -> y (n, out_channels, ...)."""
        return self.correlate(x, self.output_shape(x)) + self.b[:, np.newaxis, np.newaxis]

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, dLdy -> dLdx, dLdW, dLdb."""
        self.check(x, dLdy)
        return self.input_gradient(x, dLdy), self.weight_gradient(x, dLdy), self.bias_gradient(dLdy)

    def frame(self, x: Array) -> Array:
        """Return x in its frame of zeros."""
        (p, q), (h, w) = self.padding, x.shape[2:]
        framed = np.zeros((*x.shape[:2], h + 2 * p, w + 2 * q), np.result_type(x, np.float32))
        framed[:, :, p : p + h, q : q + w] = x
        return framed

    def crop(self, framed: Array, shape: tuple[int, ...]) -> Array:
        """Return what is inside the frame, as a new array."""
        p, q = self.padding
        return framed[:, :, p : p + shape[2], q : q + shape[3]].copy()

    def tap(self, i: int, j: int, shape: tuple[int, ...]) -> Any:
        """Return the rows and columns that entry (i, j) of the filter meets, for y of this shape."""
        top, left, (s, t) = i * self.dilation[0], j * self.dilation[1], self.stride
        return np.s_[..., top : top + shape[2] * s : s, left : left + shape[3] * t : t]

    def split(self, maps: Array) -> Array:
        """(n, channels, h, w) -> (n, groups, channels of a group, h, w)."""
        return maps.reshape(len(maps), self.groups, maps.shape[1] // self.groups, *maps.shape[2:])

    def filters(self) -> Array:
        """Return W by group, (groups, f, c, kh, kw)."""
        return self.W.reshape(self.groups, -1, *self.W.shape[1:])

    def correlate(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Return y without the bias."""
        framed = self.split(self.frame(x))
        y = np.zeros((len(x), self.groups, shape[1] // self.groups, *shape[2:]), np.result_type(framed, self.W))
        for i, j in np.ndindex(self.kernel_size):
            y += np.einsum("ngchw,gfc->ngfhw", framed[self.tap(i, j, shape)], self.filters()[..., i, j])
        return y.reshape(shape)

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdx."""
        framed, u = self.frame(np.zeros(x.shape, np.result_type(dLdy, self.W, np.float32))), self.split(dLdy)
        for i, j in np.ndindex(self.kernel_size):
            self.add(self.split(framed), self.tap(i, j, dLdy.shape),
                     np.einsum("ngfhw,gfc->ngchw", u, self.filters()[..., i, j]))  # fmt: skip
        return self.crop(framed, x.shape)

    def add(self, framed: Array, at: Any, part: Array) -> None:
        """Add what a tap gives."""
        framed[at] += part

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdW."""
        framed, u = self.split(self.frame(x)), self.split(dLdy)
        dLdW = np.zeros(self.W.shape, np.result_type(framed, dLdy))
        for i, j in np.ndindex(self.kernel_size):
            product = np.einsum("ngfhw,ngchw->gfc", u, framed[self.tap(i, j, dLdy.shape)])
            dLdW[..., i, j] = product.reshape(dLdW.shape[:2])
        return dLdW

    def bias_gradient(self, dLdy: Array) -> Array:
        """Return dLdb."""
        return np.asarray(dLdy.sum(axis=(0, 2, 3)))


class Windows(Taps):
    """A correct layer: one einsum over a strided view of all windows; results in Fortran order."""

    def windows(self, x: Array, shape: tuple[int, ...]) -> Array:
        """x -> (n, groups, c, oh, ow, kh, kw), a view of x in its frame."""
        framed = self.split(self.frame(x))
        *outer, down, across = framed.strides
        steps = [down * self.stride[0], across * self.stride[1], down * self.dilation[0], across * self.dilation[1]]
        return as_strided(framed, (*framed.shape[:3], *shape[2:], *self.kernel_size), (*outer, *steps))

    def correlate(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Contract each window with the filters."""
        y = np.einsum("ngchwij,gfcij->ngfhw", self.windows(x, shape), self.filters())
        return np.asfortranarray(y.reshape(shape))

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Contract each window with dLdy."""
        dLdW = np.einsum("ngchwij,ngfhw->gfcij", self.windows(x, dLdy.shape), self.split(dLdy))
        return np.asfortranarray(dLdW.reshape(self.W.shape))


class Loops:
    """A correct layer: nothing but loops and the sums of the definition; its parameters have other names."""

    def __init__(self, c: int, f: int, k: Pair, s: Pair, p: Pair, d: Pair, g: int) -> None:
        self.c, self.k, self.s, self.p, self.d, self.g = c, k, s, p, d, g
        self.W: Array = np.zeros((f, c // g, *k))
        self.b: Array = np.zeros(f)

    def places(self, i: int, axis: int, side: int) -> tuple[Any, Any]:
        """Return the rows of x that lie in the window at row i, and the rows of the filter that they meet."""
        rows = i * self.s[axis] - self.p[axis] + self.d[axis] * np.arange(self.k[axis])
        inside = np.flatnonzero((rows >= 0) & (rows < side))
        return rows[inside], inside

    def shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != 4 or x.shape[1] != self.c or 0 in x.shape[2:]:
            raise ValueError(f"x of shape {x.shape} has not {self.c} channels, or no pixels")
        sides = tuple(
            (h + 2 * p - d * (k - 1) - 1) // s + 1
            for h, p, d, k, s in zip(x.shape[2:], self.p, self.d, self.k, self.s, strict=True)
        )
        if min(sides) < 1:
            raise ValueError(f"x of shape {x.shape} is smaller than the filter")
        return len(x), len(self.b), *sides

    def visits(self, x: Array, shape: tuple[int, ...]) -> Any:
        """Yield the index in y, the part of x in that window and the part of W that it meets."""
        each = self.W.shape[1]
        for n, f, i, j in np.ndindex(shape):
            first = f // (len(self.b) // self.g) * each
            (rows, taps), (columns, across) = self.places(i, 0, x.shape[2]), self.places(j, 1, x.shape[3])
            channels = np.arange(first, first + each)
            yield (n, f, i, j), (n, *np.ix_(channels, rows, columns)), (f, *np.ix_(range(each), taps, across))

    def forward(self, x: Array) -> Array:
        """Sum window by window."""
        y = np.zeros(self.shape(x), np.result_type(x, self.W))
        for at, window, taps in self.visits(x, y.shape):
            y[at] = np.sum(x[window] * self.W[taps]) + self.b[at[1]]
        return y

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Add up entry by entry of dLdy."""
        if dLdy.shape != self.shape(x):
            raise ValueError(f"dLdy of shape {dLdy.shape} should be {self.shape(x)}")
        dtype = np.result_type(x, self.W, dLdy)
        dLdx, dLdW, dLdb = np.zeros(x.shape, dtype), np.zeros(self.W.shape, dtype), np.zeros(len(self.b), dtype)
        for at, window, taps in self.visits(x, dLdy.shape):
            dLdx[window] += dLdy[at] * self.W[taps]
            dLdW[taps] += dLdy[at] * x[window]
            dLdb[at[1]] += dLdy[at]
        return dLdx, dLdW, dLdb


class Im2col(Taps):
    """A correct layer: the columns of a matrix gathered by flat index, multiplied by group, np.add.at to scatter."""

    def index(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Return where in an image of x, flat and with one zero put at its end, the columns are."""
        channel, i, j = (index.reshape(-1, 1) for index in np.indices((self.in_channels, *self.kernel_size)))
        row, column = (index.reshape(1, -1) for index in np.indices(shape[2:]))
        row = row * self.stride[0] + i * self.dilation[0] - self.padding[0]
        column = column * self.stride[1] + j * self.dilation[1] - self.padding[1]
        inside = (row >= 0) & (row < x.shape[2]) & (column >= 0) & (column < x.shape[3])
        flat = (channel * x.shape[2] + row) * x.shape[3] + column
        flat = np.where(inside, flat, self.in_channels * x.shape[2] * x.shape[3])
        return np.asarray(flat.reshape(self.groups, -1, row.shape[1]))

    def flat(self, x: Array) -> Array:
        """(n, c, h, w) -> (n, c * h * w + 1), zero at the end."""
        return np.pad(x.reshape(len(x), int(np.prod(x.shape[1:]))), ((0, 0), (0, 1)))

    def correlate(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Multiply the filters of each group with its columns."""
        columns = self.flat(x)[:, self.index(x, shape)]
        return np.asarray((self.W.reshape(self.groups, shape[1] // self.groups, -1) @ columns).reshape(shape))

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Multiply the filters with dLdy, and scatter."""
        u = dLdy.reshape(len(x), self.groups, self.W.shape[0] // self.groups, dLdy.shape[2] * dLdy.shape[3])
        columns = self.W.reshape(self.groups, u.shape[2], -1).swapaxes(1, 2) @ u
        flat = self.flat(np.zeros(x.shape, columns.dtype))
        everywhere: Any = np.s_[:, self.index(x, dLdy.shape)]
        np.add.at(flat, everywhere, columns)
        return flat[:, :-1].reshape(x.shape).copy()


class SciPy(Taps):
    """A correct layer: scipy.signal with zeros put in the gaps of the filter, or between the entries of dLdy."""

    def gapped(self, filters: Array, gaps: Pair) -> Array:
        """Return arrays with zeros between their rows and columns."""
        sides = (gap * (side - 1) + 1 for gap, side in zip(gaps, filters.shape[2:], strict=True))
        result = np.zeros((*filters.shape[:2], *sides), filters.dtype)
        result[:, :, :: gaps[0], :: gaps[1]] = filters
        return result

    def pairs(self) -> Any:
        """Yield each filter, channel of its group, and channel of x."""
        for f, c in np.ndindex(self.W.shape[:2]):
            yield f, c, f // (len(self.W) // self.groups) * self.W.shape[1] + c

    def correlate(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Correlate at stride 1, and pick."""
        framed, filters = self.frame(x), self.gapped(self.W, self.dilation)
        y = np.zeros(shape, np.result_type(framed, filters))
        for n in range(len(x)):
            for f, c, channel in self.pairs():
                maps = correlate(framed[n, channel], filters[f, c], mode="valid", method="direct")
                y[n, f] += maps[:: self.stride[0], :: self.stride[1]]
        return y

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Correlate x with dLdy, and pick every dilation-th sum."""
        framed, u = self.frame(x), self.gapped(dLdy, self.stride)
        dLdW = np.zeros(self.W.shape, np.result_type(framed, u))
        kh, kw = self.kernel_size
        for n in range(len(x)):
            for f, c, channel in self.pairs():
                maps = correlate(framed[n, channel], u[n, f], mode="valid", method="direct")
                dLdW[f, c] += maps[:: self.dilation[0], :: self.dilation[1]][:kh, :kw]
        return dLdW


def with_settings(layer: Any, **changed: Any) -> Any:
    """Return the layer with other settings."""
    other = copy(layer)
    vars(other).update(changed)
    return other


def other_settings(part: str, **changed: Any) -> dict[str, Any]:
    """Return the method for dLdx or dLdW that works with other settings, found by name from the layer."""
    right = getattr(Taps, part)

    def method(self: Any, x: Array, dLdy: Array) -> Array:
        return np.asarray(right(with_settings(self, **{name: value(self) for name, value in changed.items()}), x, dLdy))

    return {part: method}


def _interleaved(self: Any, maps: Array) -> Array:
    split = maps.reshape(len(maps), maps.shape[1] // self.groups, self.groups, *maps.shape[2:])
    return split.swapaxes(1, 2)


def _first_group_only(self: Any, x: Array, shape: tuple[int, ...]) -> Array:
    of_group = x.shape[1] // self.groups
    return Taps.correlate(self, np.tile(x[:, :of_group], (1, self.groups, 1, 1)), shape)


def _first_group_weights(self: Any, x: Array, dLdy: Array) -> Array:
    of_group = x.shape[1] // self.groups
    return Taps.weight_gradient(self, np.tile(x[:, :of_group], (1, self.groups, 1, 1)), dLdy)


def _all_before(self: Any, x: Array) -> Array:
    (p, q), (h, w) = self.padding, x.shape[2:]
    framed = np.zeros((*x.shape[:2], h + 2 * p, w + 2 * q), np.result_type(x, np.float32))
    framed[:, :, 2 * p :, 2 * q :] = x
    return framed


def _replicated(self: Any, x: Array) -> Array:
    (p, q), _ = self.padding, x.shape
    return np.pad(x.astype(np.result_type(x, np.float32)), ((0, 0), (0, 0), (p, p), (q, q)), mode="edge")


def _rest_lost(self: Any, x: Array, dLdy: Array) -> Array:
    """Align the last window with the end of the frame, so that what no window reached lies first."""
    framed = self.frame(np.zeros_like(x))
    rest = [(side - self.reach(axis)) % self.stride[axis] for axis, side in enumerate(framed.shape[2:])]
    dLdx = Taps.input_gradient(with_settings(self, padding=(0, 0)), framed, dLdy)
    return np.asarray(self.crop(np.roll(dLdx, rest, axis=(2, 3)), x.shape))


def _assigned_taps(self: Any, framed: Array, at: Any, part: Array) -> None:
    framed[at] = part


def _assigned_windows(self: Any, x: Array, dLdy: Array) -> Array:
    framed = self.frame(np.zeros(x.shape, np.result_type(dLdy, self.W, np.float32)))
    for i, j in np.ndindex(dLdy.shape[2:]):
        top, left = i * self.stride[0], j * self.stride[1]
        rows = np.s_[top : top + self.reach(0) : self.dilation[0], left : left + self.reach(1) : self.dilation[1]]
        part = np.einsum("ngf,gfcij->ngcij", self.split(dLdy)[..., i, j], self.filters())
        self.split(framed)[(..., *rows)] = part
    return np.asarray(self.crop(framed, x.shape))


def _last_position(self: Any, x: Array, dLdy: Array) -> Array:
    last = np.zeros_like(dLdy)
    last[:, :, -1:, -1:] = dLdy[:, :, -1:, -1:]
    return Taps.weight_gradient(self, x, last)


def _rounded_up(self: Any, side: int, axis: int) -> int:
    return int(-(-(side + 2 * self.padding[axis] - self.reach(axis)) // self.stride[axis]) + 1)


def _kept_frame(self: Any, x: Array) -> Array:
    """Keep the frame of the last size, and clear only what x covers."""
    framed = Taps.frame(self, x)
    if getattr(self, "kept", framed[:0]).shape == framed.shape:
        framed += np.where(framed == 0, self.kept, 0)
    self.kept = framed.copy()
    return framed


def _view_of_frame(self: Any, framed: Array, shape: tuple[int, ...]) -> Array:
    if getattr(self, "buffer", framed[:0]).shape != framed.shape:
        self.buffer = framed
    self.buffer[...] = framed
    p, q = self.padding
    return np.asarray(self.buffer[:, :, p : p + shape[2], q : q + shape[3]])


def _assumes_c_order(self: Any, x: Array) -> Array:
    return Taps.frame(self, x.ravel(order="K").reshape(x.shape))


def _relu_in_place(self: Any, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
    gradients = Taps.backprop(self, x, dLdy)
    dLdy *= 0
    return gradients


def _remembered(self: Any, x: Array) -> Array:
    self.framed = Taps.frame(self, x)
    return Taps.forward(self, x)


def _of_remembered(self: Any, x: Array, dLdy: Array) -> Array:
    framed = getattr(self, "framed", None)
    if framed is None or len(framed) != len(x):
        return Taps.weight_gradient(self, x, dLdy)
    return Taps.weight_gradient(self, self.crop(framed, x.shape), dLdy)


def _row(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
    return Bug(name, family, caught_by, description, change(Taps, name, **methods))


FORWARD, ADJOINT = "forward_matches_reference", "backprop_is_the_adjoint"
GROUPS, PADDING = "groups_work_side_by_side", "padding_is_a_frame_of_zeros"
STRIDE, DILATION = "stride_picks_from_the_output_of_stride_1", "dilation_is_a_filter_with_gaps_of_zeros"

BUGS = (
    _row("stride_of_the_height", "wrong-shape", FORWARD, "the stride of the height is used for both axes",
         side=lambda self, side, axis: (side + 2 * self.padding[axis] - self.reach(axis)) // self.stride[0] + 1,
         tap=lambda self, i, j, shape: Taps.tap(with_settings(self, stride=self.stride[:1] * 2), i, j, shape)),
    _row("kernel_sides_swapped", "axes-swapped", FORWARD, "y has the size for a filter as wide as it is high",
         side=lambda self, side, axis: Taps.side(with_settings(self, kernel_size=self.kernel_size[::-1]), side, axis)),
    _row("padding_not_counted", "padding-ignored", FORWARD, "padding is accepted, but not used",
         __init__=lambda self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups:
         Taps.__init__(self, in_channels, out_channels, kernel_size, stride, (0, 0), dilation, groups)),
    _row("stride_not_used", "stride-ignored", STRIDE, "y is the corner of the output of stride 1, cut to size",
         correlate=lambda self, x, shape: Taps.correlate(with_settings(self, stride=(1, 1)), x, shape)),
    _row("dilation_not_used", "dilation-ignored", DILATION, "the filter has no gaps, though y has the size for them",
         correlate=lambda self, x, shape: Taps.correlate(with_settings(self, dilation=(1, 1)), x, shape)),
    _row("padding_all_before", "shifted", PADDING, "all the padding is put before x, none after", frame=_all_before),
    _row("edge_repeated", "padding-value", PADDING, "the frame repeats the edge of x", frame=_replicated),
    _row("partial_windows", "wrong-shape", FORWARD, "what is left over by the stride counts as a window",
         side=_rounded_up),
    _row("groups_read_the_first", "groups-ignored", GROUPS, "every group reads the channels of the first",
         correlate=_first_group_only),
    _row("output_groups_interleaved", "channels-mixed", GROUPS, "channels of y go round the groups in turn",
         correlate=lambda self, x, shape: _interleaved(with_settings(self, groups=shape[1] // self.groups),
                                                       Taps.correlate(self, x, shape)).reshape(shape)),
    _row("bias_of_the_first_of_its_group", "bias-missing", FORWARD, "every filter of a group adds the group's first b",
         forward=lambda self, x: self.correlate(x, self.output_shape(x))
         + np.repeat(self.b[:: len(self.b) // self.groups], len(self.b) // self.groups)[:, None, None]),
    _row("dLdx_dilation_ignored", "dilation-ignored", ADJOINT, "dLdx has the filter without its gaps",
         **other_settings("input_gradient", dilation=lambda self: (1, 1))),
    _row("dLdW_dilation_ignored", "dilation-ignored", ADJOINT, "dLdW reads x without the gaps of the filter",
         **other_settings("weight_gradient", dilation=lambda self: (1, 1))),
    _row("dLdx_stride_1", "stride-ignored", ADJOINT, "dLdx puts the windows one entry apart",
         **other_settings("input_gradient", stride=lambda self: (1, 1))),
    _row("dLdW_stride_1", "stride-ignored", ADJOINT, "dLdW reads windows one entry apart",
         **other_settings("weight_gradient", stride=lambda self: (1, 1))),
    _row("dLdx_stride_of_the_height", "axes-swapped", ADJOINT, "dLdx steps by the stride of the height in both axes",
         **other_settings("input_gradient", stride=lambda self: self.stride[:1] * 2)),
    _row("dLdx_cropped_at_the_corner", "padding-ignored", ADJOINT, "dLdx is cut from the corner of its frame",
         crop=lambda self, framed, shape: framed[:, :, : shape[2], : shape[3]].copy()),
    _row("dLdx_aligned_at_the_end", "shifted", ADJOINT, "dLdx has what the stride leaves over before the windows, not after them",
         input_gradient=_rest_lost),
    _row("dLdx_taps_assigned", "not-accumulated", ADJOINT, "each entry of the filter assigns to dLdx",
         add=_assigned_taps),
    _row("dLdx_windows_assigned", "not-accumulated", ADJOINT, "each window assigns to dLdx",
         input_gradient=_assigned_windows),
    _row("dLdW_of_the_last_position", "not-accumulated", ADJOINT, "dLdW is assigned position by position",
         weight_gradient=_last_position),
    _row("dLdW_groups_read_the_first", "groups-ignored", ADJOINT, "dLdW reads the first group's channels for all",
         weight_gradient=_first_group_weights),
    _row("dLdx_groups_interleaved", "channels-mixed", ADJOINT, "channels of dLdx go round the groups in turn",
         input_gradient=lambda self, x, u: _interleaved(
             with_settings(self, groups=x.shape[1] // self.groups), Taps.input_gradient(self, x, u)).reshape(x.shape)),
    _row("dLdx_filter_turned", "filter-not-flipped", ADJOINT, "dLdx has the filter turned by 180 degrees",
         input_gradient=lambda self, x, u: Taps.input_gradient(with_settings(self, W=self.W[..., ::-1, ::-1]), x, u)),
    _row("dLdb_of_one_position", "bias-not-summed", ADJOINT, "dLdb is that of the first position",
         bias_gradient=lambda self, u: u[:, :, 0, 0].sum(axis=0)),
    _row("dLdW_averaged", "batch-averaged", ADJOINT, "dLdW is divided by the number of images",
         weight_gradient=lambda self, x, u: Taps.weight_gradient(self, x, u) / max(1, len(x))),
    _row("frame_in_float32", "float32-inside", "rounding_stays_within_the_bound", "the frame is always of float32",
         frame=lambda self, x: Taps.frame(self, x.astype(np.float32))),
    _row("frame_of_the_type_of_x", "integer-truncation", "integers_count_as_real_numbers",
         "dLdx is collected in the dtype of x",
         input_gradient=lambda self, x, u: Taps.input_gradient(self, x, u).astype(x.dtype)),
    _row("frame_used_again", "keeps-state", "history_is_irrelevant", "the frame of the last call is not cleared",
         frame=_kept_frame),
    _row("frame_of_the_last_forward", "keeps-state", "history_is_irrelevant", "dLdW reads the x of the last forward",
         forward=_remembered, weight_gradient=_of_remembered),
    _row("dLdx_in_a_buffer", "shares-memory", "results_share_no_memory", "dLdx is a view of a frame that is used again",
         crop=_view_of_frame),
    _row("order_of_memory", "assumes-layout", "memory_layout_is_irrelevant", "x is read in the order of its memory",
         frame=_assumes_c_order),
    _row("dLdy_used_up", "mutates-argument", "arguments_are_left_alone", "backprop clears dLdy",
         backprop=_relu_in_place),
    _row("upstream_cut", "upstream-nonlinear", "backprop_is_linear_in_the_upstream_gradient", "negative dLdy is dropped",
         backprop=lambda self, x, u: Taps.backprop(self, x, np.maximum(u, 0))),
    _row("gradient_of_twice_W", "wrong-formula", "backprop_matches_directional_differences",
         "forward multiplies by 2 W, backprop does not",
         forward=lambda self, x: Taps.forward(with_settings(self, W=2 * self.W), x)),
    _row("dLdW_by_group", "wrong-shape", "gradients_have_the_shapes_of_their_arguments",
         "dLdW is (groups, f, c, kh, kw)",
         weight_gradient=lambda self, x, u: Taps.weight_gradient(self, x, u).reshape(self.filters().shape)),
    _row("centred_by_batch", "batch-coupled", "batch_items_are_independent", "x is centred over the batch first",
         forward=lambda self, x: Taps.forward(self, x - np.floor(x.mean(axis=0)) if len(x) > 1 else x)),
    _row("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
         forward=lambda self, x: Taps.forward(self, x * (np.arange(len(x)) < 3)[:, None, None, None])),
    _row("float16_results", "float32-inside", "float32_in_stays_within_its_bound", "float32 input gives float16",
         forward=lambda self, x: Taps.forward(self, x).astype(np.float16 if x.dtype == np.float32 else float)),
    _row("empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "the dtype is taken from x[0]",
         frame=lambda self, x: Taps.frame(self, x.astype(x[0].dtype))),
    _row("any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdy of a wrong shape is cut to size",
         backprop=lambda self, x, u: Taps.backprop(
             self, x, u[: len(x), :, : self.output_shape(x)[2], : self.output_shape(x)[3]])),
)  # fmt: skip

SECTIONS = (Section(convolution2d, (Taps, Windows, Loops, Im2col, SciPy), BUGS),)
