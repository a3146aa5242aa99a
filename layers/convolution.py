"""Convolutional layer: every output entry is the inner product of one filter with one window of x.

The windows are laid out as the columns of a matrix, a cache-full at a time, so that forward and both
large gradients are matrix products. No padding, stride 1, the filter is not turned (cross-correlation).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.util import view_as_windows

from layers.arguments import images, positive, real_array, shaped, working_dtype

Array = NDArray[Any]

CACHE = 2**21
"""Bytes that are laid out at a time: larger blocks leave the cache, smaller ones are more calls."""


class nn_convolutional_layer:
    """y[n, f] = b[f] + sum over channels c of x[n, c] cross-correlated with W[f, c].

    W (num_filters, in_ch_size, filter_width, filter_height) is drawn from a normal distribution with deviation
    std / sqrt(in_ch_size * filter_width * filter_height / 2); b (1, num_filters, 1, 1) starts at 0.01. Images need
    not be square: input_size is part of the assignment's interface, but sizes are those of x.
    ValueError or TypeError for sizes that are not positive whole numbers.
    """

    def __init__(
        self, filter_width: int, filter_height: int, input_size: int, in_ch_size: int, num_filters: int, std: float = 1
    ) -> None:
        positive("input_size", input_size)
        if not 0 <= std < np.inf:
            raise ValueError(f"std should be a number of at least 0, but it is {std!r}")
        area = positive("filter_width", filter_width), positive("filter_height", filter_height)
        shape = positive("num_filters", num_filters), positive("in_ch_size", in_ch_size), *area
        self.W: Array = np.random.normal(0, std / np.sqrt(np.prod(shape[1:]) / 2), shape)
        self.b: Array = np.full((1, num_filters, 1, 1), 0.01)

    def get_weights(self) -> tuple[Array, Array]:
        """Return copies of (W, b)."""
        return self.W.copy(), self.b.copy()

    def set_weights(self, W: ArrayLike, b: ArrayLike) -> None:
        """Replace W and b by copies of these; ValueError unless the shapes are the layer's own."""
        W = shaped("W", W, self.W.shape, "(num_filters, in_ch_size, filter_width, filter_height)")
        b = shaped("b", b, self.b.shape, "(1, num_filters, 1, 1)")
        self.W, self.b = W.astype(working_dtype(W)), b.astype(working_dtype(b))

    def update_weights(self, dW: ArrayLike, db: ArrayLike) -> None:
        """Add dW to W and db to b: arrays of their shapes, or single numbers."""
        dW, db = real_array("dW", dW), real_array("db", db)
        dW, db = np.broadcast_to(dW, dW.shape or self.W.shape), np.broadcast_to(db, db.shape or self.b.shape)
        self.W = (self.W + shaped("dW", dW, self.W.shape, "like W")).astype(self.W.dtype)
        self.b = (self.b + shaped("db", db, self.b.shape, "like b")).astype(self.b.dtype)

    def forward(self, x: ArrayLike) -> Array:
        """x (n, c, w, h) -> y (n, f, w - filter_width + 1, h - filter_height + 1); float32 if x, W and b are.

        ValueError if x has not in_ch_size channels or is smaller than the filter, TypeError if it is not real.
        """
        x = self._checked(x)
        n, f, w, h = self._output_shape(x)
        dtype = working_dtype(x, self.W, self.b)
        filters = np.hstack([self.W.reshape(f, -1), self.b.reshape(f, 1)], dtype=dtype)
        y = np.empty((n, f, w * h), dtype)
        for block, columns in _windows(x, self.W.shape, dtype):
            np.matmul(filters, columns, out=y[block])
        return y.reshape(n, f, w, h)

    def backprop(self, x: ArrayLike, dLdy: ArrayLike) -> tuple[Array, Array, Array]:
        """x (n, c, w, h), dLdy like y -> (dLdx like x, dLdW like W, dLdb like b).

        dLdW: the windows of x, weighted by dLdy. dLdb: the sum of dLdy. dLdx: every window receives the filters,
        weighted by its dLdy. ValueError if dLdy does not have the shape of y.
        """
        x = self._checked(x)
        n, f, w, h = self._output_shape(x)
        dLdy = shaped("dLdy", dLdy, (n, f, w, h), "like forward(x)")
        dtype = working_dtype(x, self.W, dLdy)
        dLdy = dLdy.astype(dtype, copy=False)

        gradient = np.zeros((f, self.W[0].size + 1), dtype)
        for block, columns in _windows(x, self.W.shape, dtype):
            gradient += (dLdy.reshape(n, f, w * h)[block] @ columns.transpose(0, 2, 1)).sum(axis=0)
        dLdW, dLdb = gradient[:, :-1].reshape(self.W.shape), gradient[:, -1].reshape(self.b.shape)
        return self._input_gradient(x.shape, dLdy), dLdW.copy(), dLdb.copy()

    def _input_gradient(self, shape: tuple[int, ...], dLdy: Array) -> Array:
        """dLdy (n, f, w, h) -> dLdx: dLdx[:, c, i + p, j + q] adds up W[f, c, i, j] dLdy[:, f, p, q].

        A copy of dLdy moved by each j, one product with all filters, and its results moved by each i.
        """
        f, c, filter_width, filter_height = self.W.shape
        n, _, w, h = dLdy.shape
        filters = self.W.transpose(1, 2, 0, 3).reshape(c * filter_width, -1).astype(dLdy.dtype)
        dLdx = np.zeros(shape, dLdy.dtype)
        moved: Array = np.empty(0)
        for block, rows in _blocks(n, w, f * filter_height * shape[3] * dLdy.itemsize):
            part = dLdy[block, :, rows]
            count, height = len(part), part.shape[2]
            if moved.shape[::3] != (count, height):  # the last block may be smaller
                moved = np.zeros((count, f, filter_height, height, shape[3]), dLdy.dtype)
                weighted: Array = np.empty((count, c, filter_width, height, shape[3]), dLdy.dtype)
            for j in range(filter_height):
                moved[:, :, j, :, j : j + h] = part
            flat = height * shape[3]
            np.matmul(filters, moved.reshape(count, -1, flat), out=weighted.reshape(count, -1, flat))
            for i in range(filter_width):
                dLdx[block, :, rows.start + i : rows.stop + i] += weighted[:, :, i]
        return dLdx

    def _checked(self, x: ArrayLike) -> Array:
        x = images("x", x)
        if x.shape[1] != self.W.shape[1]:
            raise ValueError(f"x should have {self.W.shape[1]} channels (in_ch_size), but its shape is {x.shape}")
        if x.shape[2] < self.W.shape[2] or x.shape[3] < self.W.shape[3]:
            size = f"{self.W.shape[2]} x {self.W.shape[3]}"
            raise ValueError(f"x should be at least as large as the filter, {size}, but its shape is {x.shape}")
        return x

    def _output_shape(self, x: Array) -> tuple[int, int, int, int]:
        f, _, filter_width, filter_height = self.W.shape
        return len(x), f, x.shape[2] - filter_width + 1, x.shape[3] - filter_height + 1


def _windows(x: Array, filters: tuple[int, ...], dtype: Any) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Yield (where, columns): columns (images, c * filter area + 1, windows), where in y (n, f, w * h).

    Each column is one window of x and a 1, which stands for the bias. What view_as_windows slides over x is a window
    of the size of y: it has one position for each entry of the filter.
    """
    n, c, w, h = len(x), filters[1], x.shape[2] - filters[2] + 1, x.shape[3] - filters[3] + 1
    if x.size == 0:  # view_as_windows refuses an empty array, and there is nothing to yield
        return
    windows = view_as_windows(x, (1, 1, w, h))[:, :, :, :, 0, 0]
    area = c * filters[2] * filters[3]
    columns: Array = np.empty(0)
    for images_, rows in _blocks(n, w, area * h * np.dtype(dtype).itemsize):
        part = windows[images_, :, :, :, rows]
        if columns.shape[::2] != (len(part), part.shape[4] * h):  # the last block may be smaller
            columns = np.empty((len(part), area + 1, part.shape[4] * h), dtype)
            columns[:, area] = 1
        for image, column in zip(part, columns, strict=True):
            column[:area].reshape(image.shape)[...] = image
        yield (images_, slice(None), slice(rows.start * h, rows.stop * h)), columns


def _blocks(n: int, rows: int, row_bytes: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of images and of rows whose data fits the cache: several images, or part of one."""
    height = max(1, min(rows, CACHE // row_bytes))
    count = max(1, CACHE // (row_bytes * height)) if height == rows else 1
    for image in range(0, n, count):
        for row in range(0, rows, height):
            yield slice(image, min(n, image + count)), slice(row, min(rows, row + height))
