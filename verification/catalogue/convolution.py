"""Convolution: a correct layer in parts that can be changed one at a time, variants of it, planted bugs."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import convolve, correlate, fftconvolve

from verification.case import Array
from verification.catalogue.bug import Bug, Section, change
from verification.specs.convolution import convolution


class Einsum:
    """A correct layer: einsum over a sliding-window view."""

    def __init__(
        self, filter_width: int, filter_height: int, input_size: int, in_ch_size: int, num_filters: int
    ) -> None:
        self.input_size = input_size
        self.W: Array = np.zeros((num_filters, in_ch_size, filter_width, filter_height))
        self.b: Array = np.zeros((1, num_filters, 1, 1))

    def output_shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of forward(x), or raise."""
        f, c, kw, kh = self.W.shape
        if x.ndim != 4 or x.shape[1] != c or x.shape[2] < kw or x.shape[3] < kh:
            raise ValueError(f"x should be (n, {c}, at least {kw}, at least {kh}), but its shape is {x.shape}")
        return len(x), f, x.shape[2] - kw + 1, x.shape[3] - kh + 1

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != self.output_shape(x):
            raise ValueError(f"dLdy should have shape {self.output_shape(x)}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, c, w, h) -> y (n, f, ...)."""
        self.output_shape(x)
        return self.correlate(x, self.W) + self.b

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, dLdy -> dLdx, dLdW, dLdb."""
        self.check(x, dLdy)
        return self.input_gradient(x, dLdy), self.weight_gradient(x, dLdy), self.bias_gradient(dLdy)

    def correlate(self, x: Array, W: Array) -> Array:
        """x (n, c, w, h), W (f, c, kw, kh) -> (n, f, w - kw + 1, h - kh + 1)."""
        windows = sliding_window_view(x, W.shape[2:], axis=(2, 3))
        return np.asarray(np.einsum("ncwhij,fcij->nfwh", windows, W))

    def turned(self) -> Array:
        """Return the filters turned by 180 degrees, (c, f, kw, kh)."""
        return self.W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdx."""
        return self.correlate(self.framed(dLdy), self.turned())

    def framed(self, dLdy: Array) -> Array:
        """Return dLdy inside a frame of zeros, as wide as the filter less one."""
        kw, kh = self.W.shape[2:]
        return np.pad(dLdy, ((0, 0), (0, 0), (kw - 1, kw - 1), (kh - 1, kh - 1)))

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdW."""
        windows = sliding_window_view(x, self.W.shape[2:], axis=(2, 3))
        return np.asarray(np.einsum("ncwhij,nfwh->fcij", windows, dLdy))

    def bias_gradient(self, dLdy: Array) -> Array:
        """Return dLdb."""
        return np.asarray(dLdy.sum(axis=(0, 2, 3)).reshape(self.b.shape))


class Loops(Einsum):
    """A correct layer: four nested loops over the output, as in the definition."""

    def forward(self, x: Array) -> Array:
        """Sum window by window."""
        y = np.zeros(self.output_shape(x), np.result_type(x, self.W))
        for n, f, i, j in np.ndindex(y.shape):
            y[n, f, i, j] = np.sum(self.window(x, n, i, j) * self.W[f]) + self.b[0, f, 0, 0]
        return y

    def window(self, x: Array, n: int, i: int, j: int) -> Array:
        """Return the window of image n at (i, j)."""
        kw, kh = self.W.shape[2:]
        return x[n, :, i : i + kw, j : j + kh]

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Add up entry by entry of dLdy."""
        self.check(x, dLdy)
        dtype = np.result_type(x, self.W, dLdy)
        dLdx, dLdW, dLdb = np.zeros(x.shape, dtype), np.zeros(self.W.shape, dtype), np.zeros(self.b.shape, dtype)
        for n, f, i, j in np.ndindex(dLdy.shape):
            self.window(dLdx, n, i, j)[...] += dLdy[n, f, i, j] * self.W[f]
            dLdW[f] += dLdy[n, f, i, j] * self.window(x, n, i, j)
            dLdb[0, f] += dLdy[n, f, i, j]
        return dLdx, dLdW, dLdb


class Im2col(Einsum):
    """A correct layer: windows as columns of a matrix, gathered by index; np.add.at scatters them back."""

    def indices(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the channel, row and column of each entry of each window: (c * kw * kh, ow * oh)."""
        _, c, kw, kh = self.W.shape
        ow, oh = x.shape[2] - kw + 1, x.shape[3] - kh + 1
        channel, i, j = (index.reshape(-1, 1) for index in np.indices((c, kw, kh)))
        row, column = (index.reshape(1, -1) for index in np.indices((ow, oh)))
        return channel, i + row, j + column

    def forward(self, x: Array) -> Array:
        """Multiply the filters with the columns."""
        shape = self.output_shape(x)
        columns = x[:, *self.indices(x)]
        return (self.W.reshape(len(self.W), -1) @ columns).reshape(shape) + self.b

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Multiply dLdy with the columns, and the filters with dLdy."""
        self.check(x, dLdy)
        u, W = dLdy.reshape(len(x), len(self.W), dLdy.shape[2] * dLdy.shape[3]), self.W.reshape(len(self.W), -1)
        dLdW = np.tensordot(u, x[:, *self.indices(x)], axes=([0, 2], [0, 2])).reshape(self.W.shape)
        dLdx = np.zeros(x.shape, np.result_type(x, dLdy, W))
        channel, row, column = self.indices(x)
        everywhere: Any = np.s_[:, channel, row, column]
        np.add.at(dLdx, everywhere, W.T @ u)
        return dLdx, dLdW, self.bias_gradient(dLdy)


class SciPy(Einsum):
    """A correct layer: scipy.signal, image by image and channel by channel; Fortran-ordered results."""

    def forward(self, x: Array) -> Array:
        """Correlate."""
        y = np.zeros(self.output_shape(x), np.result_type(x, self.W), order="F")
        for n, f in np.ndindex(y.shape[:2]):
            y[n, f] = correlate(x[n], self.W[f], mode="valid", method="direct")[0] + self.b[0, f]
        return y

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Convolve dLdy with the filters, and correlate x with dLdy."""
        self.check(x, dLdy)
        dtype = np.result_type(x, self.W, dLdy)
        dLdx, dLdW = np.zeros(x.shape, dtype, order="F"), np.zeros(self.W.shape, dtype, order="F")
        for n, f, c in np.ndindex(len(x), *self.W.shape[:2]):
            dLdx[n, c] += convolve(dLdy[n, f], self.W[f, c], mode="full", method="direct")
            dLdW[f, c] += correlate(x[n, c], dLdy[n, f], mode="valid", method="direct")
        return dLdx, dLdW, self.bias_gradient(dLdy)


class FFT(Einsum):
    """A correct layer: fast Fourier transforms, which round where sums of products would be exact."""

    def forward(self, x: Array) -> Array:
        """Multiply transforms."""
        y = np.zeros(self.output_shape(x), np.result_type(x, self.W, np.float32)) + self.b
        for n, f, c in np.ndindex(len(x), *self.W.shape[:2]):
            y[n, f] += fftconvolve(x[n, c], self.W[f, c, ::-1, ::-1], mode="valid")
        return y

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Multiply transforms, with nothing or the other argument turned around."""
        self.check(x, dLdy)
        dtype = np.result_type(x, self.W, dLdy, np.float32)
        dLdx, dLdW = np.zeros(x.shape, dtype), np.zeros(self.W.shape, dtype)
        for n, f, c in np.ndindex(len(x), *self.W.shape[:2]):
            dLdx[n, c] += fftconvolve(dLdy[n, f], self.W[f, c], mode="full")
            dLdW[f, c] += fftconvolve(x[n, c], dLdy[n, f, ::-1, ::-1], mode="valid")
        return dLdx, dLdW, self.bias_gradient(dLdy)


class Taps(Einsum):
    """A correct layer: one matrix product for each entry of the filter, added up."""

    def correlate(self, x: Array, W: Array) -> Array:
        """Add shifted images, weighted by one tap of all filters at a time."""
        w, h = x.shape[2] - W.shape[2] + 1, x.shape[3] - W.shape[3] + 1
        y = np.zeros((len(x), len(W), w, h), np.result_type(x, W))
        for i, j in np.ndindex(W.shape[2:]):
            y += np.moveaxis(np.tensordot(W[:, :, i, j], x[:, :, i : i + w, j : j + h], axes=(1, 1)), 0, 1)
        return y


class TrueToItsSize(Einsum):
    """A correct layer: it takes images of the width it was made for, and no others."""

    def output_shape(self, x: Array) -> tuple[int, ...]:
        """Refuse other widths."""
        shape = super().output_shape(x)
        if x.shape[2] != self.input_size:
            raise ValueError(f"x should be input_size={self.input_size} wide, but its shape is {x.shape}")
        return shape


VARIANTS = (Einsum, Loops, Im2col, SciPy, FFT, Taps, TrueToItsSize)


def _flip(a: Array) -> Array:
    return a[..., ::-1, ::-1]


def _keep_x(self: Any, x: Array) -> Array:
    self.kept = x
    return Einsum.forward(self, x)


def _in_place(self: Any, x: Array) -> Array:
    x -= 1
    return Einsum.forward(self, x + 1)


def _flip_in_place(self: Any, x: Array, dLdy: Array) -> Array:
    self.W[...] = _flip(self.W).copy()
    return np.asarray(self.correlate(self.framed(dLdy), self.W.transpose(1, 0, 2, 3)))


def _scaled_upstream(self: Any, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
    gradients = Einsum.backprop(self, x, dLdy)
    dLdy /= max(1, len(x))
    return gradients


def _add_in_place(array: Array, where: Any, value: Any) -> Array:
    array = array.copy()
    array[where] += value
    return array


def _truncating(self: Any, x: Array, dLdy: Array) -> Array:
    gradient = np.zeros_like(x)
    gradient[...] = Einsum.input_gradient(self, x, dLdy).astype(x.dtype)
    return gradient


def _buffered(self: Any, x: Array) -> Array:
    y = Einsum.forward(self, x)
    buffer = self.__dict__.setdefault("buffer", np.empty(y.shape, y.dtype))
    if buffer.shape != y.shape:
        self.buffer = buffer = np.empty(y.shape, y.dtype)
    buffer[...] = y
    return np.asarray(buffer)


def _memory_order(self: Any, x: Array) -> Array:
    return Einsum.forward(self, x.ravel(order="K").reshape(x.shape))


def _noisy(self: Any, x: Array) -> Array:
    return Einsum.forward(self, x) + np.random.default_rng().integers(0, 2)


def _first_row_lost(self: Any, x: Array) -> Array:
    y = Einsum.forward(self, x)
    y[:, :, -1] = self.b[..., 0] * np.ones_like(y[:, :, -1])
    return y


def _float32_y(self: Any, x: Array) -> Array:
    return np.asarray(Einsum.forward(self, x.astype(np.float32)), np.float64)


def _frozen(self: Any, x: Array) -> Array:
    answers = self.__dict__.setdefault("answers", {})
    if x.shape not in answers:
        answers[x.shape] = Einsum.forward(self, x)
    return np.array(answers[x.shape])


def _same_x(self: Any, x: Array) -> Array:
    if x is not getattr(self, "last", None):
        self.last, self.answer = x, Einsum.forward(self, x)
    return np.array(self.answer)


def _first_weights(self: Any, x: Array) -> Array:
    W = self.__dict__.setdefault("weights", self.W.copy())
    return np.asarray(self.correlate(x, W) + self.b)


def _remembers_size(self: Any, x: Array) -> Array:
    self.images = len(x)
    return Einsum.forward(self, x)


def _of_remembered_size(self: Any, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
    dLdx, dLdW, dLdb = Einsum.backprop(self, x, dLdy)
    return dLdx, dLdW, dLdb * self.__dict__.get("images", len(x)) / max(1, len(x))


def _row(name: str, family: str, caught_by: str, description: str, base: type = Einsum, **methods: Any) -> Bug:
    return Bug(name, family, caught_by, description, change(base, name, **methods))


ADJOINT, FORWARD = "backprop_is_the_adjoint", "forward_matches_reference"

BUGS = (
    _row("filter_flipped", "filter-flipped", FORWARD, "forward convolves instead of cross-correlating",
         forward=lambda self, x: self.correlate(x, _flip(self.W)) + self.b),
    _row("bias_forgotten", "bias-missing", FORWARD, "forward adds no bias",
         forward=lambda self, x: self.correlate(x, self.W)),
    _row("bias_of_the_first_filter", "bias-missing", FORWARD, "forward adds b[0] to every filter's map",
         forward=lambda self, x: self.correlate(x, self.W) + self.b[:, :1]),
    _row("output_transposed", "axes-swapped", FORWARD, "width and height of y are swapped",
         forward=lambda self, x: Einsum.forward(self, x).swapaxes(2, 3)),
    _row("last_output_row_lost", "border-missing", "is_equivariant_to_shifts", "the last row of y is the bias alone",
         forward=_first_row_lost),
    _row("edge_not_a_number", "uninitialised", FORWARD, "the last entry of y is never written",
         forward=lambda self, x: _add_in_place(Einsum.forward(self, x), np.s_[-1:, -1, -1, -1], np.nan)),
    _row("channels_weighted", "channels-mixed", "permutes_with_its_channels_and_filters",
         "the second channel counts twice",
         forward=lambda self, x: Einsum.forward(self, x) + self.correlate(x[:, 1:2], self.W[:, 1:2])),
    _row("filter_not_flipped", "filter-not-flipped", ADJOINT, "dLdx uses the filter as it is",
         turned=lambda self: self.W.transpose(1, 0, 2, 3)),
    _row("filter_flipped_one_way", "filter-not-flipped", ADJOINT, "dLdx flips the filter in one axis only",
         turned=lambda self: self.W[:, :, ::-1].transpose(1, 0, 2, 3)),
    _row("channels_mixed", "channels-mixed", ADJOINT, "dLdx has its channels in reverse order",
         input_gradient=lambda self, x, u: Einsum.input_gradient(self, x, u)[:, ::-1]),
    _row("dLdx_shifted", "shifted", ADJOINT, "dLdx is one row off",
         input_gradient=lambda self, x, u: np.roll(Einsum.input_gradient(self, x, u), 1, axis=2)),
    _row("dLdx_without_border", "border-missing", ADJOINT, "the first row of dLdx is left zero",
         input_gradient=lambda self, x, u: Einsum.input_gradient(self, x, u) * (np.arange(x.shape[2]) > 0)[:, None]),
    _row("sign_of_dLdW", "sign", ADJOINT, "dLdW is negated",
         weight_gradient=lambda self, x, u: -Einsum.weight_gradient(self, x, u)),
    _row("dLdW_averaged", "batch-averaged", ADJOINT, "dLdW is divided by the number of images",
         weight_gradient=lambda self, x, u: Einsum.weight_gradient(self, x, u) / max(1, len(x))),
    _row("dLdW_of_the_first_image", "batch-not-summed", ADJOINT, "dLdW leaves out all images but the first",
         weight_gradient=lambda self, x, u: Einsum.weight_gradient(self, x[:1], u[:1])),
    _row("dLdW_of_the_last_image", "not-accumulated", ADJOINT, "dLdW is assigned, not added, image by image",
         weight_gradient=lambda self, x, u: Einsum.weight_gradient(self, x[-1:], u[-1:])),
    _row("dLdW_flipped", "filter-flipped", ADJOINT, "dLdW is turned by 180 degrees",
         weight_gradient=lambda self, x, u: _flip(Einsum.weight_gradient(self, x, u))),
    _row("dLdW_ignores_dLdy", "upstream-ignored", ADJOINT, "dLdW is computed for dLdy of ones",
         weight_gradient=lambda self, x, u: Einsum.weight_gradient(self, x, np.ones_like(u))),
    _row("dLdW_slightly_off", "single-entry", ADJOINT, "one entry of dLdW is 1e-6 too large",
         weight_gradient=lambda self, x, u: _add_in_place(
             (g := Einsum.weight_gradient(self, x, u)), np.s_[-1, -1, -1, -1], 1e-6 * g[-1, -1, -1, -1])),
    _row("dLdb_averaged", "scaled", ADJOINT, "dLdb is the mean over positions, not the sum",
         bias_gradient=lambda self, u: u.sum(axis=0).mean(axis=(1, 2)).reshape(self.b.shape)),
    _row("dLdb_of_one_position", "bias-not-summed", ADJOINT, "dLdb leaves out all positions but the first",
         bias_gradient=lambda self, u: u[:, :, 0, 0].sum(axis=0).reshape(self.b.shape)),
    _row("three_by_three_only", "hard-coded-size", ADJOINT, "the frame around dLdy is 2 wide, whatever the filter",
         framed=lambda self, u: np.pad(u, ((0, 0), (0, 0), (2, 2), (2, 2)))),
    _row("square_filters_only", "axes-swapped", ADJOINT, "the frame swaps filter width and height",
         framed=lambda self, u: np.pad(
             u, ((0, 0), (0, 0), (self.W.shape[3] - 1,) * 2, (self.W.shape[2] - 1,) * 2))),
    _row("gradient_of_another_forward", "wrong-formula", "backprop_matches_directional_differences",
         "forward doubles W, backprop does not know",
         forward=lambda self, x: self.correlate(x, 2 * self.W) + self.b),
    _row("dLdb_flat", "wrong-shape", "gradients_have_the_shapes_of_their_arguments", "dLdb has shape (f,)",
         bias_gradient=lambda self, u: u.sum(axis=(0, 2, 3))),
    _row("no_dLdb", "unfinished", "gradients_have_the_shapes_of_their_arguments", "backprop returns (dLdx, dLdW)",
         backprop=lambda self, x, u: Einsum.backprop(self, x, u)[:2]),
    _row("backprop_returns_none", "unfinished", "gradients_have_the_shapes_of_their_arguments",
         "the return statement is missing", backprop=lambda self, x, u: None),
    _row("upstream_clipped", "upstream-nonlinear", "backprop_is_linear_in_the_upstream_gradient",
         "dLdy is clipped to -100 ... 100",
         backprop=lambda self, x, u: Einsum.backprop(self, x, np.clip(u, -100, 100))),
    _row("forward_changes_x", "mutates-argument", "arguments_are_left_alone", "forward subtracts in place",
         forward=_in_place),
    _row("backprop_flips_W", "mutates-argument", "arguments_are_left_alone", "backprop flips W in place",
         input_gradient=_flip_in_place),
    _row("backprop_scales_dLdy", "mutates-argument", "arguments_are_left_alone", "backprop divides dLdy in place",
         backprop=_scaled_upstream),
    _row("remembers_x", "keeps-state", "history_is_irrelevant", "backprop uses the x of the last forward",
         forward=_keep_x, backprop=lambda self, x, u: Einsum.backprop(self, self.__dict__.get("kept", x), u)),
    _row("first_answer_for_ever", "keeps-state", "history_is_irrelevant", "y is remembered by the shape of x",
         forward=_frozen),
    _row("same_x", "keeps-state", "history_is_irrelevant", "y is remembered as long as x is the same object",
         forward=_same_x),
    _row("first_weights", "keeps-state", "history_is_irrelevant", "W is copied at the first call",
         forward=_first_weights),
    _row("remembers_batch_size", "keeps-state", "history_is_irrelevant", "dLdb counts the images of the last forward",
         forward=_remembers_size, backprop=_of_remembered_size),
    _row("no_bias_for_zero_filters", "bias-missing", FORWARD, "a filter of zeros gets no bias",
         forward=lambda self, x: self.correlate(x, self.W)
         + self.b * self.W.any(axis=(1, 2, 3)).reshape(self.b.shape)),
    _row("x_clipped", "wrong-formula", FORWARD, "x is clipped to -1000 ... 1000",
         forward=lambda self, x: Einsum.forward(self, np.clip(x, -1000, 1000))),
    _row("small_x_dropped", "wrong-formula", "rounding_stays_within_the_bound", "entries of x below 1/4 count as 0",
         forward=lambda self, x: Einsum.forward(self, np.where(abs(x) < 0.25, 0, x))),
    _row("random_output", "non-deterministic", "history_is_irrelevant", "y is sometimes 1 larger", forward=_noisy),
    _row("centred_by_batch", "batch-coupled", "batch_items_are_independent", "x is centred over the batch first",
         forward=lambda self, x: Einsum.forward(self, x - np.floor(x.mean(axis=0)) if len(x) > 1 else x)),
    _row("memory_order", "assumes-layout", "memory_layout_is_irrelevant", "x is read in the order of its memory",
         forward=_memory_order),
    _row("float32_forward", "float32-inside", "rounding_stays_within_the_bound", "forward computes in float32",
         forward=_float32_y),
    _row("float32_backprop", "float32-inside", "rounding_stays_within_the_bound", "dLdW is computed in float32",
         weight_gradient=lambda self, x, u: Einsum.weight_gradient(
             self, x.astype(np.float32), u.astype(np.float32)).astype(float)),
    _row("eight_images_in_batch", "hard-coded-size", "is_exact_at_a_realistic_size",
         "only the first four images are worked on",
         forward=lambda self, x: Einsum.forward(self, x * (np.arange(len(x)) < 4)[:, None, None, None])),
    _row("float16_results", "float32-inside", "float32_in_stays_within_its_bound", "float32 input gives float16",
         forward=lambda self, x: Einsum.forward(self, x).astype(np.float16 if x.dtype == np.float32 else float)),
    _row("integer_gradient", "integer-truncation", "integers_count_as_real_numbers",
         "dLdx has the dtype of x, so integers cut it off", input_gradient=_truncating),
    _row("empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "forward takes x[0]",
         forward=lambda self, x: Einsum.forward(self, x) + 0 * x[0, 0, 0, 0]),
    _row("buffer_returned", "shares-memory", "results_share_no_memory", "y is a buffer that the next call overwrites",
         forward=_buffered),
    _row("any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdy of a wrong shape is cut to size",
         check=lambda self, x, u: None,
         backprop=lambda self, x, u: Einsum.backprop(
             self, x, u[: len(x), :, : self.output_shape(x)[2], : self.output_shape(x)[3]])),
)  # fmt: skip

SECTIONS = (Section(convolution, VARIANTS, BUGS),)
