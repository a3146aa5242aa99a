"""Convolution over one axis and over three: correct layers and planted bugs."""

from copy import copy
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.convolution_nd import convolution1d, convolution3d


class Taps:
    """A correct layer over any number of axes: for each entry of the filter one product with a slice of the frame."""

    axes = 1

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        groups: int,
    ) -> None:  # fmt: skip
        self.in_channels, self.groups = in_channels, groups
        self.k, self.s, self.p, self.d = (
            np.broadcast_to(given, self.axes).tolist() for given in (kernel_size, stride, padding, dilation)
        )
        self.W: Array = np.zeros((out_channels, in_channels // groups, *self.k))
        self.b: Array = np.zeros(out_channels)

    def sides(self, x: Array) -> list[int]:
        """Return the sides of y, or raise."""
        if x.ndim != self.axes + 2 or x.shape[1] != self.in_channels:
            raise ValueError(f"x should be (n, {self.in_channels}, ...), but its shape is {x.shape}")
        room = [
            side + 2 * p - d * (k - 1) - 1 for side, p, d, k in zip(x.shape[2:], self.p, self.d, self.k, strict=True)
        ]
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
        inside: Any = (..., *(slice(p, p + side) for p, side in zip(self.p, shape[2:], strict=True)))
        return np.array(framed[inside])

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
        return np.asarray(self.correlate(x, self.sides(x)) + self.b.reshape(-1, *[1] * self.axes))

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
        framed, u = self.split(self.frame(x)), self.split(dLdy)
        dLdW = np.zeros(self.W.shape, np.result_type(framed, dLdy))
        for place in np.ndindex(*self.k):
            met = framed[self.tap(place, dLdy.shape[2:])]
            flat = [array.reshape(*array.shape[:3], np.prod(array.shape[3:], dtype=int)) for array in (u, met)]
            dLdW[(..., *place)] = np.einsum("ngfp,ngcp->gfc", *flat).reshape(dLdW.shape[:2])
        return dLdW

    def bias_gradient(self, dLdy: Array) -> Array:
        """Return dLdb."""
        return np.asarray(dLdy.sum(axis=(0, *range(2, dLdy.ndim))))


class Windows(Taps):
    """A correct layer: one product over a view of all windows; results in Fortran order."""

    def windows(self, x: Array) -> Array:
        """x -> (n, groups, c, ..., k, ...)."""
        axes, reach = tuple(range(2, x.ndim)), [d * (k - 1) + 1 for d, k in zip(self.d, self.k, strict=True)]
        view = sliding_window_view(self.frame(x), reach, axis=axes)
        steps = (slice(None, None, step) for step in (*self.s, *self.d))
        return self.split(view[(slice(None), slice(None), *steps)])

    def correlate(self, x: Array, sides: list[int]) -> Array:
        """Contract each window with the filters."""
        letters = "ijk"[: self.axes]
        y = np.einsum(f"ngc...{letters},gfc{letters}->ngf...", self.windows(x), self.filters())
        return np.asfortranarray(y.reshape(len(x), len(self.W), *sides))

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Contract each window with dLdy."""
        letters, places = "ijk"[: self.axes], "pqr"[: self.axes]
        dLdW = np.einsum(f"ngc{places}{letters},ngf{places}->gfc{letters}", self.windows(x), self.split(dLdy))
        return np.asfortranarray(dLdW.reshape(self.W.shape))


class Taps3d(Taps):
    """The same over three axes."""

    axes = 3


class Windows3d(Windows):
    """The same over three axes."""

    axes = 3


def _with(layer: Any, **changed: Any) -> Any:
    other = copy(layer)
    vars(other).update(changed)
    return other


def _ones(layer: Any) -> list[int]:
    return [1] * len(layer.k)


def _all_before(self: Any, x: Array) -> Array:
    return np.pad(x.astype(np.result_type(x, np.float32)), [(0, 0), (0, 0), *((2 * p, 0) for p in self.p)])


def _first_group(self: Any, x: Array) -> Array:
    return np.concatenate([x[:, : x.shape[1] // self.groups]] * self.groups, axis=1)


def _assign(self: Any, framed: Array, at: Any, part: Array) -> None:
    framed[at] = part


def _bugs(base: Any) -> tuple[Bug, ...]:
    def bug(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return row(base, name, family, caught_by, description, **methods)

    def with_settings(part: str, **changed: Any) -> dict[str, Any]:
        right = getattr(base, part)
        return {part: lambda self, x, u: right(_with(self, **{k: v(self) for k, v in changed.items()}), x, u)}

    def last_position(self: Any, x: Array, u: Array) -> Array:
        last = np.zeros_like(u)
        at: Any = (..., *[-1] * (u.ndim - 2))
        last[at] = u[at]
        return np.asarray(base.weight_gradient(self, x, last))

    return (
        *everywhere(base, exact=True),
        bug("stride_not_used", "stride-ignored", FORWARD, "y is the corner of the output of stride 1, cut to size",
            correlate=lambda self, x, sides: base.correlate(_with(self, s=_ones(self)), x, sides)),
        bug("dilation_not_used", "dilation-ignored", FORWARD, "the filter has no gaps, though y has the size for them",
            correlate=lambda self, x, sides: base.correlate(_with(self, d=_ones(self)), x, sides)),
        bug("padding_all_before", "shifted", FORWARD, "all the padding is put before x, none after", frame=_all_before),
        bug("edge_repeated", "padding-value", FORWARD, "the frame repeats the edge of x",
            frame=lambda self, x: np.pad(
                x.astype(np.result_type(x, np.float32)), [(0, 0), (0, 0), *((p, p) for p in self.p)], mode="edge")),
        bug("partial_windows", "wrong-shape", FORWARD, "what is left over by the stride counts as a window",
            count=lambda self, free, axis: -(-free // self.s[axis]) + 1),
        bug("filter_turned", "filter-flipped", FORWARD, "y is a convolution, not a cross-correlation",
            correlate=lambda self, x, sides: base.correlate(
                _with(self, W=np.flip(self.W, tuple(range(2, self.W.ndim)))), x, sides)),
        bug("groups_read_the_first", "groups-ignored", FORWARD, "every group reads the channels of the first",
            correlate=lambda self, x, sides: base.correlate(self, _first_group(self, x), sides)),
        bug("dLdx_filter_turned", "filter-not-flipped", ADJOINT, "dLdx has the filter turned around",
            input_gradient=lambda self, x, u: base.input_gradient(
                _with(self, W=np.flip(self.W, tuple(range(2, self.W.ndim)))), x, u)),
        bug("dLdx_taps_assigned", "not-accumulated", ADJOINT, "each entry of the filter assigns to dLdx", add=_assign),
        bug("dLdx_stride_1", "stride-ignored", ADJOINT, "dLdx puts the windows one entry apart",
            **with_settings("input_gradient", s=_ones)),
        bug("dLdx_cropped_at_the_corner", "padding-ignored", ADJOINT, "dLdx is cut from the corner of its frame",
            crop=lambda self, framed, shape: framed[tuple(slice(side) for side in shape)].copy()),
        bug("dLdW_dilation_ignored", "dilation-ignored", ADJOINT, "dLdW reads x without the gaps of the filter",
            **with_settings("weight_gradient", d=_ones)),
        bug("dLdW_of_the_last_position", "not-accumulated", ADJOINT, "dLdW is assigned position by position",
            weight_gradient=last_position),
        bug("dLdb_of_one_position", "bias-not-summed", ADJOINT, "dLdb is that of the first position",
            bias_gradient=lambda self, u: u[(..., *[0] * (u.ndim - 2))].sum(axis=0)),
        bug("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are worked on",
            forward=lambda self, x: base.forward(self, x * (np.arange(len(x)) < 3).reshape(-1, *[1] * (x.ndim - 1)))),
    )  # fmt: skip


SECTIONS = (
    Section(convolution1d, (Taps, Windows), _bugs(Taps)),
    Section(convolution3d, (Taps3d, Windows3d), _bugs(Taps3d)),
)
