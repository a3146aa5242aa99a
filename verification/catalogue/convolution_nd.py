"""Convolution over one, two or three axes, with stride, padding, dilation and groups: correct layers, planted bugs."""

from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import correlate

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, SHAPES, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.choices import AXES
from verification.specs.convolution_nd import convolution1d, convolution2d, convolution3d


class Taps:
    """A correct layer over any number of axes: for each entry of the filter one product with a slice of the frame."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        groups: int,
    ) -> None:  # fmt: skip
        self.in_channels, self.groups = in_channels, groups
        self.k, self.s, self.p, self.d = (
            np.atleast_1d(given).tolist() for given in (kernel_size, stride, padding, dilation)
        )
        self.W: Array = np.zeros((out_channels, in_channels // groups, *self.k))
        self.b: Array = np.zeros(out_channels)

    def reach(self) -> list[int]:
        """Return how far a filter reaches along each axis."""
        return [d * (k - 1) + 1 for d, k in zip(self.d, self.k, strict=True)]

    def sides(self, x: Array) -> list[int]:
        """Return the sides of y, or raise."""
        if x.ndim != len(self.k) + 2 or x.shape[1] != self.in_channels:
            raise ValueError(f"x should be (n, {self.in_channels}, ...), but its shape is {x.shape}")
        room = [side + 2 * p - reach for side, p, reach in zip(x.shape[2:], self.p, self.reach(), strict=True)]
        if min(room) < 0 or min(x.shape[2:]) < 1:
            raise ValueError(f"x should be at least as large as the filter, but its shape is {x.shape}")
        return [self.count(free, axis) for axis, free in enumerate(room)]

    def count(self, free: int, axis: int) -> int:
        """Return how many windows there are, if the first one leaves this many entries free."""
        return free // int(self.s[axis]) + 1

    def frame(self, x: Array) -> Array:
        """Return x in its frame of zeros."""
        return np.pad(x.astype(np.result_type(x, np.float32)), [(0, 0), (0, 0), *((p, p) for p in self.p)])

    def crop(self, framed: Array, shape: tuple[int, ...]) -> Array:
        """Return what is inside the frame, as a new array."""
        return np.array(framed[self.inside(shape)])

    def inside(self, shape: tuple[int, ...]) -> Any:
        """Return the index of what is inside the frame."""
        return (..., *(slice(p, p + side) for p, side in zip(self.p, shape[2:], strict=True)))

    def tap(self, place: tuple[int, ...], counts: Any) -> Any:
        """Return the index of what an entry of the filter meets."""
        of_axes = zip(place, self.d, self.s, counts, strict=True)
        return (..., *(slice(i * d, i * d + (count - 1) * s + 1, s) for i, d, s, count in of_axes))

    def split(self, maps: Array) -> Array:
        """(n, channels, ...) -> (n, groups, channels of a group, ...)."""
        return maps.reshape(len(maps), self.groups, maps.shape[1] // self.groups, *maps.shape[2:])

    def filters(self) -> Array:
        """Return W by group."""
        return self.W.reshape(self.groups, len(self.W) // self.groups, *self.W.shape[1:])

    def forward(self, x: Array) -> Array:
        """x -> y."""
        return np.asarray(self.correlate(x, self.sides(x)) + self.b.reshape(-1, *[1] * len(self.k)))

    def correlate(self, x: Array, sides: list[int]) -> Array:
        """Return y without the bias."""
        framed, of_group = self.split(self.frame(x)), len(self.W) // self.groups
        y = np.zeros((len(x), self.groups, of_group, *sides), np.result_type(framed, self.W))
        for place in np.ndindex(*self.k):
            y += np.einsum("ngc...,gfc->ngf...", framed[self.tap(place, sides)], self.filters()[(..., *place)])
        return y.reshape(len(x), len(self.W), *sides)

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, dLdy -> dLdx, dLdW, dLdb."""
        if dLdy.shape != (shape := (len(x), len(self.W), *self.sides(x))):
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {dLdy.shape}")
        return self.input_gradient(x, dLdy), self.weight_gradient(x, dLdy), self.bias_gradient(dLdy)

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdx."""
        framed, u = self.frame(np.zeros(x.shape, np.result_type(dLdy, self.W))), self.split(dLdy)
        for place in np.ndindex(*self.k):
            part = np.einsum("ngf...,gfc->ngc...", u, self.filters()[(..., *place)])
            self.add(self.split(framed), self.tap(place, dLdy.shape[2:]), part)
        return self.crop(framed, x.shape)

    def add(self, framed: Array, at: Any, part: Array) -> None:
        """Add what a tap gives."""
        framed[at] += part

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdW."""
        framed, u, places = self.split(self.frame(x)), self.split(dLdy), "pqr"[: len(self.k)]
        dLdW = np.zeros(self.W.shape, np.result_type(framed, dLdy))
        for place in np.ndindex(*self.k):
            met = framed[self.tap(place, dLdy.shape[2:])]
            product = np.einsum(f"ngf{places},ngc{places}->gfc", u, met)
            dLdW[(..., *place)] = product.reshape(dLdW.shape[:2])
        return dLdW

    def bias_gradient(self, dLdy: Array) -> Array:
        """Return dLdb."""
        return np.asarray(dLdy.sum(axis=(0, *range(2, dLdy.ndim))))


class Windows(Taps):
    """A correct layer: one product over a view of all windows; results in Fortran order."""

    def windows(self, x: Array) -> Array:
        """x -> (n, groups, c, ..., k, ...)."""
        view = sliding_window_view(self.frame(x), self.reach(), axis=tuple(range(2, x.ndim)))
        steps = (slice(None, None, step) for step in (*self.s, *self.d))
        return self.split(view[(slice(None), slice(None), *steps)])

    def correlate(self, x: Array, sides: list[int]) -> Array:
        """Contract each window with the filters."""
        letters = "ijk"[: len(self.k)]
        y = np.einsum(f"ngc...{letters},gfc{letters}->ngf...", self.windows(x), self.filters())
        return np.asfortranarray(y.reshape(len(x), len(self.W), *sides))

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Contract each window with dLdy."""
        letters, places = "ijk"[: len(self.k)], "pqr"[: len(self.k)]
        dLdW = np.einsum(f"ngc{places}{letters},ngf{places}->gfc{letters}", self.windows(x), self.split(dLdy))
        return np.asfortranarray(dLdW.reshape(self.W.shape))


class Loops:
    """A correct layer: nothing but loops and the sums of the definition; its parameters have other names."""

    def __init__(self, c: int, f: int, k: Any, s: Any, p: Any, d: Any, g: int) -> None:
        self.c, self.g = c, g
        self.k, self.s, self.p, self.d = (np.atleast_1d(given).tolist() for given in (k, s, p, d))
        self.W: Array = np.zeros((f, c // g, *self.k))
        self.b: Array = np.zeros(f)

    def places(self, i: int, axis: int, side: int) -> tuple[Any, Any]:
        """Return the places along an axis of x that lie in window i, and those of the filter that they meet."""
        places = i * self.s[axis] - self.p[axis] + self.d[axis] * np.arange(self.k[axis])
        inside = np.flatnonzero((places >= 0) & (places < side))
        return places[inside], inside

    def shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        if x.ndim != len(self.k) + 2 or x.shape[1] != self.c or 0 in x.shape[2:]:
            raise ValueError(f"x of shape {x.shape} has not {self.c} channels, or no pixels")
        of_axes = zip(x.shape[2:], self.p, self.d, self.k, self.s, strict=True)
        sides = [(side + 2 * p - d * (k - 1) - 1) // s + 1 for side, p, d, k, s in of_axes]
        if min(sides) < 1:
            raise ValueError(f"x of shape {x.shape} is smaller than the filter")
        return len(x), len(self.b), *sides

    def visits(self, x: Array, shape: tuple[int, ...]) -> Any:
        """Yield the index in y, the part of x in that window and the part of W that it meets."""
        each = self.W.shape[1]
        for n, f, *place in np.ndindex(shape):
            first = f // (len(self.b) // self.g) * each
            of_axes = [self.places(i, axis, x.shape[2 + axis]) for axis, i in enumerate(place)]
            window = np.ix_(np.arange(first, first + each), *(places for places, _ in of_axes))
            yield (n, f, *place), (n, *window), (f, *np.ix_(range(each), *(taps for _, taps in of_axes)))

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

    def index(self, shape: tuple[int, ...], sides: Any) -> Array:
        """Return where in a flat frame of this shape the columns are, (groups, c k ..., places)."""
        channel, *entry = (index.reshape(-1, 1) for index in np.indices((self.in_channels, *self.k)))
        place = [index.reshape(1, -1) for index in np.indices(sides)]
        of_axes = zip(entry, self.d, place, self.s, strict=True)
        at = np.broadcast_arrays(channel, *(i * d + j * s for i, d, j, s in of_axes))
        return np.ravel_multi_index(at, shape[1:]).reshape(self.groups, -1, at[0].shape[1])

    def correlate(self, x: Array, sides: list[int]) -> Array:
        """Multiply the filters of each group with its columns."""
        framed = self.frame(x)
        columns = framed.reshape(len(x), int(np.prod(framed.shape[1:])))[:, self.index(framed.shape, sides)]
        y = self.W.reshape(self.groups, len(self.W) // self.groups, -1) @ columns
        return np.asarray(y.reshape(len(x), len(self.W), *sides))

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Multiply the filters with dLdy, and scatter."""
        of_group, sides = len(self.W) // self.groups, dLdy.shape[2:]
        u = dLdy.reshape(len(x), self.groups, of_group, int(np.prod(sides)))
        columns = self.W.reshape(self.groups, of_group, -1).swapaxes(1, 2) @ u
        framed = self.frame(np.zeros(x.shape, columns.dtype))
        everywhere: Any = np.s_[:, self.index(framed.shape, sides)]
        np.add.at(framed.reshape(len(x), int(np.prod(framed.shape[1:]))), everywhere, columns)
        return self.crop(framed, x.shape)


class SciPy(Taps):
    """A correct layer: scipy.signal with zeros put in the gaps of the filter, or between the entries of dLdy."""

    def gapped(self, filters: Array, gaps: Any) -> Array:
        """Return arrays with zeros between their entries."""
        sides = (gap * (side - 1) + 1 for gap, side in zip(gaps, filters.shape[2:], strict=True))
        result = np.zeros((*filters.shape[:2], *sides), filters.dtype)
        apart: Any = (..., *(slice(None, None, gap) for gap in gaps))
        result[apart] = filters
        return result

    def pairs(self) -> Any:
        """Yield each filter, channel of its group, and channel of x."""
        for f, c in np.ndindex(self.W.shape[:2]):
            yield f, c, f // (len(self.W) // self.groups) * self.W.shape[1] + c

    def correlate(self, x: Array, sides: list[int]) -> Array:
        """Correlate at stride 1, and pick."""
        framed, filters = self.frame(x), self.gapped(self.W, self.d)
        y = np.zeros((len(x), len(self.W), *sides), np.result_type(framed, filters))
        for n in range(len(x)):
            for f, c, channel in self.pairs():
                maps = correlate(framed[n, channel], filters[f, c], mode="valid", method="direct")
                y[n, f] += maps[tuple(slice(None, None, s) for s in self.s)]
        return y

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Correlate x with dLdy, and pick every dilation-th sum."""
        framed, u = self.frame(x), self.gapped(dLdy, self.s)
        dLdW = np.zeros(self.W.shape, np.result_type(framed, u))
        picked: Any = tuple(slice(0, d * k, d) for d, k in zip(self.d, self.k, strict=True))
        for n in range(len(x)):
            for f, c, channel in self.pairs():
                maps = correlate(framed[n, channel], u[n, f], mode="valid", method="direct")
                dLdW[f, c] += maps[picked]
        return dLdW


# Small changes


def with_settings(layer: Any, **changed: Any) -> Any:
    """Return the layer with other settings."""
    other = copy(layer)
    vars(other).update(changed)
    return other


def _other(part: str, **changed: Any) -> dict[str, Any]:
    """Return the method that works with other settings, found by name from the layer."""
    right = getattr(Taps, part)

    def method(self: Any, *given: Any) -> Any:
        return right(with_settings(self, **{name: value(self) for name, value in changed.items()}), *given)

    return {part: method}


def _ones(layer: Any) -> list[int]:
    return [1] * len(layer.k)


def _turned(layer: Any) -> Array:
    return np.flip(layer.W, tuple(range(2, layer.W.ndim)))


def _first_of_all(setting: str) -> Any:
    return lambda layer: getattr(layer, setting)[:1] * len(layer.k)


def _interleaved(self: Any, maps: Array) -> Array:
    split = maps.reshape(len(maps), self.groups, -1, *maps.shape[2:])
    return split.swapaxes(1, 2).reshape(maps.shape)


def _first_group(self: Any, x: Array) -> Array:
    return np.concatenate([x[:, : x.shape[1] // self.groups]] * self.groups, axis=1)


def _group_biases(self: Any, x: Array) -> Array:
    of_group = len(self.b) // self.groups
    return Taps.forward(with_settings(self, b=np.repeat(self.b[::of_group], of_group)), x)


def _all_before(self: Any, x: Array) -> Array:
    return np.pad(x.astype(np.result_type(x, np.float32)), [(0, 0), (0, 0), *((2 * p, 0) for p in self.p)])


def _edge_repeated(self: Any, x: Array) -> Array:
    return np.pad(x.astype(np.result_type(x, np.float32)), [(0, 0), (0, 0), *((p, p) for p in self.p)], mode="edge")


def _aligned_at_the_end(self: Any, x: Array, dLdy: Array) -> Array:
    """Align the last window with the end of the frame, so that what no window reached lies first."""
    framed = self.frame(np.zeros_like(x))
    of_axes = zip(framed.shape[2:], self.reach(), self.s, strict=True)
    rest = [(side - reach) % s for side, reach, s in of_axes]
    dLdx = Taps.input_gradient(with_settings(self, p=[0] * len(self.p)), framed, dLdy)
    return Taps.crop(self, np.roll(dLdx, rest, axis=tuple(range(2, x.ndim))), x.shape)


def _assigned_by_taps(self: Any, framed: Array, at: Any, part: Array) -> None:
    framed[at] = part


def _assigned_by_windows(self: Any, x: Array, dLdy: Array) -> Array:
    framed, letters = self.frame(np.zeros(x.shape, np.result_type(dLdy, self.W, np.float32))), "ijk"[: len(self.k)]
    for place in np.ndindex(dLdy.shape[2:]):
        of_axes = zip(place, self.s, self.reach(), self.d, strict=True)
        window = (slice(i * s, i * s + reach, d) for i, s, reach, d in of_axes)
        part = np.einsum(f"ngf,gfc{letters}->ngc{letters}", self.split(dLdy)[(..., *place)], self.filters())
        self.split(framed)[(..., *window)] = part
    return Taps.crop(self, framed, x.shape)


def _last_position(self: Any, x: Array, dLdy: Array) -> Array:
    last = np.zeros_like(dLdy)
    at: Any = (..., *[-1] * (dLdy.ndim - 2))
    last[at] = dLdy[at]
    return Taps.weight_gradient(self, x, last)


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
    return np.asarray(self.buffer[self.inside(shape)])


def _used_up(self: Any, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
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


GROUPS, PADDING = "groups_work_side_by_side", "padding_is_a_frame_of_zeros"
STRIDE, DILATION = "stride_picks_from_the_output_of_stride_1", "dilation_is_a_filter_with_gaps_of_zeros"


_bug = partial(row, Taps)

BUGS = (
    *everywhere(Taps, exact=True),
    _bug("padding_not_counted", "padding-ignored", FORWARD, "padding is accepted, but not used",
         __init__=lambda self, c, f, k, s, p, d, g: Taps.__init__(self, c, f, k, s, 0 * np.array(p), d, g)),
    _bug("stride_not_used", "stride-ignored", STRIDE, "y is the corner of the output of stride 1, cut to size",
         **_other("correlate", s=_ones)),
    _bug("dilation_not_used", "dilation-ignored", DILATION, "the filter has no gaps, though y has the size for them",
         **_other("correlate", d=_ones)),
    _bug("padding_all_before", "shifted", PADDING, "all the padding is put before x, none after", frame=_all_before),
    _bug("edge_repeated", "padding-value", PADDING, "the frame repeats the edge of x", frame=_edge_repeated),
    _bug("partial_windows", "wrong-shape", FORWARD, "what is left over by the stride counts as a window",
         count=lambda self, free, axis: -(-free // self.s[axis]) + 1),
    _bug("filter_turned", "filter-flipped", FORWARD, "y is a convolution, not a cross-correlation",
         **_other("correlate", W=_turned)),
    _bug("groups_read_the_first", "groups-ignored", GROUPS, "every group reads the channels of the first",
         correlate=lambda self, x, sides: Taps.correlate(self, _first_group(self, x), sides)),
    _bug("output_groups_interleaved", "channels-mixed", GROUPS, "channels of y go round the groups in turn",
         correlate=lambda self, x, sides: _interleaved(self, Taps.correlate(self, x, sides))),
    _bug("bias_of_the_first_of_its_group", "bias-missing", FORWARD, "every filter of a group adds the group's first b",
         forward=_group_biases),
    _bug("gradient_of_twice_W", "wrong-formula", DIFFERENCES, "forward multiplies by 2 W, backprop does not",
         **_other("forward", W=lambda self: 2 * self.W)),
    _bug("dLdx_filter_turned", "filter-not-flipped", ADJOINT, "dLdx has the filter turned around",
         **_other("input_gradient", W=_turned)),
    _bug("dLdx_dilation_ignored", "dilation-ignored", ADJOINT, "dLdx has the filter without its gaps",
         **_other("input_gradient", d=_ones)),
    _bug("dLdx_stride_1", "stride-ignored", ADJOINT, "dLdx puts the windows one entry apart",
         **_other("input_gradient", s=_ones)),
    _bug("dLdx_cropped_at_the_corner", "padding-ignored", ADJOINT, "dLdx is cut from the corner of its frame",
         crop=lambda self, framed, shape: framed[tuple(map(slice, shape))].copy()),
    _bug("dLdx_aligned_at_the_end", "shifted", ADJOINT, "dLdx has what the stride leaves over before the windows, not after them",
         input_gradient=_aligned_at_the_end),
    _bug("dLdx_taps_assigned", "not-accumulated", ADJOINT, "each entry of the filter assigns to dLdx",
         add=_assigned_by_taps),
    _bug("dLdx_windows_assigned", "not-accumulated", ADJOINT, "each window assigns to dLdx",
         input_gradient=_assigned_by_windows),
    _bug("dLdx_groups_interleaved", "channels-mixed", ADJOINT, "channels of dLdx go round the groups in turn",
         input_gradient=lambda self, x, u: _interleaved(self, Taps.input_gradient(self, x, u))),
    _bug("dLdx_of_the_type_of_x", "integer-truncation", "integers_count_as_real_numbers",
         "dLdx is collected in the dtype of x",
         input_gradient=lambda self, x, u: Taps.input_gradient(self, x, u).astype(x.dtype)),
    _bug("dLdx_in_a_buffer", "shares-memory", "results_share_no_memory", "dLdx is a view of a frame that is used again",
         crop=_view_of_frame),
    _bug("dLdW_dilation_ignored", "dilation-ignored", ADJOINT, "dLdW reads x without the gaps of the filter",
         **_other("weight_gradient", d=_ones)),
    _bug("dLdW_stride_1", "stride-ignored", ADJOINT, "dLdW reads windows one entry apart",
         **_other("weight_gradient", s=_ones)),
    _bug("dLdW_of_the_last_position", "not-accumulated", ADJOINT, "dLdW is assigned position by position",
         weight_gradient=_last_position),
    _bug("dLdW_groups_read_the_first", "groups-ignored", ADJOINT, "dLdW reads the first group's channels for all",
         weight_gradient=lambda self, x, u: Taps.weight_gradient(self, _first_group(self, x), u)),
    _bug("dLdW_averaged", "batch-averaged", ADJOINT, "dLdW is divided by the number of images",
         weight_gradient=lambda self, x, u: Taps.weight_gradient(self, x, u) / max(1, len(x))),
    _bug("dLdW_by_group", "wrong-shape", SHAPES, "dLdW is (groups, f, c, k, ...)",
         weight_gradient=lambda self, x, u: Taps.weight_gradient(self, x, u).reshape(self.filters().shape)),
    _bug("dLdb_of_one_position", "bias-not-summed", ADJOINT, "dLdb is that of the first position",
         bias_gradient=lambda self, u: u[(..., *[0] * (u.ndim - 2))].sum(axis=0)),
    _bug("frame_in_float32", "float32-inside", "rounding_stays_within_the_bound", "the frame is always of float32",
         frame=lambda self, x: Taps.frame(self, x.astype(np.float32))),
    _bug("frame_used_again", "keeps-state", "history_is_irrelevant", "the frame of the last call is not cleared",
         frame=_kept_frame),
    _bug("frame_of_the_last_forward", "keeps-state", "history_is_irrelevant", "dLdW reads the x of the last forward",
         forward=_remembered, weight_gradient=_of_remembered),
    _bug("order_of_memory", "assumes-layout", "memory_layout_is_irrelevant", "x is read in the order of its memory",
         frame=lambda self, x: Taps.frame(self, x.ravel(order="K").reshape(x.shape))),
    _bug("empty_batch_has_no_type", "empty-batch", "an_empty_batch_gives_empty_results", "the dtype is taken from x[0]",
         frame=lambda self, x: Taps.frame(self, x.astype(x[0].dtype))),
    _bug("dLdy_used_up", "mutates-argument", "arguments_are_left_alone", "backprop clears dLdy", backprop=_used_up),
    _bug("centred_by_batch", "batch-coupled", "batch_items_are_independent", "x is centred over the batch first",
         forward=lambda self, x: Taps.forward(self, x - np.floor(x.mean(axis=0)) if len(x) > 1 else x)),
    _bug("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
         forward=lambda self, x: Taps.forward(self, x * (np.arange(len(x)) < 3).reshape(-1, *[1] * (x.ndim - 1)))),
)  # fmt: skip


def _swapped(axes: int) -> tuple[Bug, ...]:
    """Return the bugs of a layer that takes one axis for another."""
    first = AXES[-axes]
    return (
        _bug(f"stride_of_the_{first}", "wrong-shape", FORWARD, f"the stride of the {first} is used for all axes",
             **_other("sides", s=_first_of_all("s")), **_other("tap", s=_first_of_all("s"))),
        _bug("kernel_sides_swapped", "axes-swapped", FORWARD, "y has the size for a filter with its sides in reverse order",
             **_other("sides", k=lambda self: self.k[::-1])),
        _bug(f"dLdx_stride_of_the_{first}", "axes-swapped", ADJOINT, f"dLdx steps by the stride of the {first} in all axes",
             **_other("input_gradient", s=_first_of_all("s"))),
    )  # fmt: skip


VARIANTS = (Taps, Windows, Loops, Im2col, SciPy)
SECTIONS = (
    Section(convolution2d, VARIANTS, (*BUGS, *_swapped(2))),
    Section(convolution1d, VARIANTS, BUGS),
    Section(convolution3d, VARIANTS, (*BUGS, *_swapped(3))),
)
