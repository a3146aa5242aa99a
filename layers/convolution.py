"""Convolutional layer: every output entry is the inner product of one filter with one window of x.

The windows are laid out as the columns of a matrix, a cache-full at a time, so that forward and both
large gradients are matrix products. No padding, stride 1, the filter is not turned (cross-correlation).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, NDArray

from layers.arguments import images, positive, real_array, shaped, working_dtype

Array = NDArray[Any]

CACHE = 2**20
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
        f, c, filter_width, filter_height = self.W.shape
        n, height = len(x), x.shape[3]
        w, h = x.shape[2] - filter_width + 1, height - filter_height + 1
        dtype = working_dtype(x, self.W, self.b)
        filters = np.hstack([self.W.reshape(f, -1), self.b.reshape(f, 1)], dtype=dtype)
        area = filters.shape[1] - 1
        y = np.empty((n, f, w, h), dtype)
        columns = products = np.empty(0)
        x = np.ascontiguousarray(x)
        moved = (n, c, filter_width, filter_height, w * height - filter_height + 1)  # back by each i and j
        strides = [x.itemsize * step for step in (c * x.shape[2] * height, x.shape[2] * height, height, 1, 1)]
        moves = as_strided(x, moved, strides, writeable=False)
        for images_, rows, count, width in _blocks(n, w, area * height * dtype.itemsize):
            first, size = rows.start * height, width * height - filter_height + 1
            columns = _buffer(np.empty, columns, (count, area + 1, width * height), dtype)
            columns[:, area] = 1  # stands for the bias
            places = columns[:, :area].reshape(count, c, filter_width, filter_height, -1)
            places[..., :size] = moves[images_, ..., first : first + size]
            products = _buffer(np.empty, products, (count, f, width * height), dtype)
            np.matmul(filters, columns[:, :, :size], out=products[:, :, :size])
            y[images_, :, rows] = products.reshape(count, f, width, height)[..., :h]
        return y

    def backprop(self, x: ArrayLike, dLdy: ArrayLike) -> tuple[Array, Array, Array]:
        """x (n, c, w, h), dLdy like y -> (dLdx like x, dLdW like W, dLdb like b).

        dLdW[f, c, i, j] adds up dLdy[:, f, p, q] x[:, c, p + i, q + j], and dLdx[:, c, p + i, q + j] adds up
        W[f, c, i, j] dLdy[:, f, p, q]. Both are one product of x moved back by each i, dLdy moved on by each j,
        and W. ValueError if dLdy does not have the shape of y.
        """
        x = self._checked(x)
        f, c, filter_width, filter_height = self.W.shape
        n, height = len(x), x.shape[3]
        w, h = x.shape[2] - filter_width + 1, height - filter_height + 1
        dLdy = shaped("dLdy", dLdy, (n, f, w, h), "like forward(x)")
        dtype = working_dtype(x, self.W, dLdy)
        filters = self.W.transpose(1, 2, 3, 0).reshape(c * filter_width, -1).astype(dtype)
        dLdW, dLdx = np.zeros(filters.shape, dtype), np.zeros(x.shape, dtype)
        moved_x = moved_dLdy = np.empty(0)
        for images_, rows, count, width in _blocks(n, w, sum(filters.shape) * height * dtype.itemsize):
            moved_x = _buffer(np.empty, moved_x, (c, filter_width, count, width, height), dtype)
            moved_dLdy = _buffer(np.zeros, moved_dLdy, (filter_height, f, count, width, height), dtype)
            for i in range(filter_width):
                moved_x[:, i] = x[images_, :, rows.start + i : rows.stop + i].swapaxes(0, 1)
            for j in range(filter_height):
                moved_dLdy[j, ..., j : j + h] = dLdy[images_, :, rows].swapaxes(0, 1)
            flat_x, flat_dLdy = moved_x.reshape(len(filters), -1), moved_dLdy.reshape(filters.shape[1], -1)
            dLdW += flat_x @ flat_dLdy.T
            np.matmul(filters, flat_dLdy, out=flat_x)
            for i in range(filter_width):
                dLdx[images_, :, rows.start + i : rows.stop + i] += moved_x[:, i].swapaxes(0, 1)
        dLdW = dLdW.reshape(c, filter_width, filter_height, f).transpose(3, 0, 1, 2)
        dLdb = dLdy.sum(axis=(0, 2, 3), dtype=dtype).reshape(self.b.shape)
        return dLdx, np.ascontiguousarray(dLdW), dLdb

    def _checked(self, x: ArrayLike) -> Array:
        x = images("x", x)
        if x.shape[1] != self.W.shape[1]:
            raise ValueError(f"x should have {self.W.shape[1]} channels (in_ch_size), but its shape is {x.shape}")
        if x.shape[2] < self.W.shape[2] or x.shape[3] < self.W.shape[3]:
            size = f"{self.W.shape[2]} x {self.W.shape[3]}"
            raise ValueError(f"x should be at least as large as the filter, {size}, but its shape is {x.shape}")
        return x


def _blocks(n: int, rows: int, row_bytes: int) -> Iterator[tuple[slice, slice, int, int]]:
    """Yield slices of images and of rows whose data fits the cache, several images or part of one, and their sizes."""
    width = max(1, min(rows, CACHE // row_bytes))
    count = max(1, CACHE // (row_bytes * width)) if width == rows else 1
    for image in range(0, n, count):
        for row in range(0, rows, width):
            images_, rows_ = slice(image, min(n, image + count)), slice(row, min(rows, row + width))
            yield images_, rows_, images_.stop - image, rows_.stop - row


def _buffer(new: Callable[..., Array], last: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the last block's buffer if it has this shape, else a new one; the last block of all may be smaller."""
    return last if last.shape == shape else new(shape, dtype)
