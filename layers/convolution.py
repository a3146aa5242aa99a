"""Convolutional layer: for each image, a matrix of filters times a matrix of the windows of the image."""

import numpy as np
from numpy.typing import ArrayLike
from skimage.util import view_as_windows

from layers.arguments import Array, images, positive, real_array, shaped, working_dtype


class nn_convolutional_layer:
    """y[n, f, p, q] = b[f] + sum over c, i, j of W[f, c, i, j] x[n, c, p + i, q + j]: no padding, no filter turned.

    W (num_filters, in_ch_size, filter_width, filter_height) is drawn from a normal distribution with deviation
    std / sqrt(in_ch_size * filter_width * filter_height / 2), b (1, num_filters, 1, 1) starts at 0.01; x need not have
    input_size. ValueError for a wrong size or shape, TypeError for what is not a real array or a whole number.
    """

    def __init__(
        self, filter_width: int, filter_height: int, input_size: int, in_ch_size: int, num_filters: int, std: float = 1
    ) -> None:
        _, f, c = positive(input_size=input_size, num_filters=num_filters, in_ch_size=in_ch_size)
        width, height = positive(filter_width=filter_width, filter_height=filter_height)
        if not 0 <= std < np.inf:
            raise ValueError(f"std should be a number of at least 0, but it is {std!r}")
        self.W: Array = np.random.normal(0, std / np.sqrt(c * width * height / 2), (f, c, width, height))
        self.b: Array = np.full((1, f, 1, 1), 0.01)

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
        dW = shaped("dW", dW, self.W.shape if dW.ndim else (), "like W")
        db = shaped("db", db, self.b.shape if db.ndim else (), "like b")
        self.W, self.b = (self.W + dW).astype(self.W.dtype), (self.b + db).astype(self.b.dtype)

    def forward(self, x: ArrayLike) -> Array:
        """x (n, c, w, h) -> y (n, f, w - filter_width + 1, h - filter_height + 1); float32 if x, W and b are."""
        x, (n, f, w, h) = self._checked(x)
        filters = np.hstack([self.W.reshape(f, -1), self.b.reshape(f, 1)], dtype=working_dtype(x, self.W, self.b))
        columns = np.ones((filters.shape[1], w * h), filters.dtype)  # the last row stays 1: b is its weight
        rows = columns[:-1].reshape(*self.W.shape[1:], w, h)
        y = np.empty((n, f, w * h), filters.dtype)
        for windows_of_image, y_of_image in zip(_windows(x, w, h), y, strict=True):
            rows[:] = windows_of_image  # rows[c, i, j] is what W[f, c, i, j] meets, x[c, i : i + w, j : j + h]
            np.matmul(filters, columns, out=y_of_image)
        return y.reshape(n, f, w, h)

    def backprop(self, x: ArrayLike, dLdy: ArrayLike) -> tuple[Array, Array, Array]:
        """x (n, c, w, h), dLdy like y -> (dLdx like x, dLdW like W, dLdb like b); ValueError if dLdy is not like y.

        With q + j = r: dLdW[f, c, i, j] = sum over p, r of x[c, p + i, r] dLdy[f, p, r - j], and dLdx[c, p + i, r] adds
        up W[f, c, i, j] dLdy[f, p, r - j]: two products of matrices, x moved along one axis and dLdy along the other.
        """
        x, (n, f, w, h) = self._checked(x)
        dLdy = shaped("dLdy", dLdy, (n, f, w, h), "like forward(x)")
        dtype = working_dtype(x, self.W, dLdy)
        c, width, height, full = *self.W.shape[1:], x.shape[3]
        filters = self.W.transpose(1, 2, 3, 0).reshape(c * width, height * f).astype(dtype)
        dLdx, dLdW = np.zeros(x.shape, dtype), np.zeros(filters.shape, dtype)
        moved_x, moved_dLdx = np.empty((2, c, width, w, full), dtype)
        moved_dLdy = np.zeros((height, f, w, full), dtype)  # where dLdy does not reach stays 0
        x_rows, dLdx_rows, dLdy_rows = (moved.reshape(-1, w * full) for moved in (moved_x, moved_dLdx, moved_dLdy))
        for one_x, one_dLdy, one_dLdx in zip(_windows(x, w, full)[:, :, :, 0], dLdy, dLdx, strict=True):
            moved_x[:] = one_x
            for j in range(height):
                moved_dLdy[j, ..., j : j + h] = one_dLdy
            dLdW += x_rows @ dLdy_rows.T
            np.matmul(filters, dLdy_rows, out=dLdx_rows)
            for i in range(width):
                one_dLdx[:, i : i + w] += moved_dLdx[:, i]
        dLdb = dLdy.sum(axis=(0, 2, 3), dtype=dtype).reshape(self.b.shape)
        return dLdx, dLdW.reshape(c, width, height, f).transpose(3, 0, 1, 2), dLdb

    def _checked(self, x: ArrayLike) -> tuple[Array, tuple[int, int, int, int]]:
        """Return x as an array, and the shape of y."""
        f, c, width, height = self.W.shape
        x = images(x, "filter", width, height)
        if x.shape[1] != c:
            raise ValueError(f"x should have {c} channels (in_ch_size), but its shape is {x.shape}")
        return x, (len(x), f, x.shape[2] - width + 1, x.shape[3] - height + 1)


def _windows(x: Array, width: int, height: int) -> Array:
    """x (n, c, w, h) -> (n, c, i, j, width, height): the window of x that starts at x[n, c, i, j], a view."""
    some = x if len(x) else np.empty((1, *x.shape[1:]), x.dtype)  # view_as_windows refuses an empty batch
    return np.asarray(view_as_windows(some, (1, 1, width, height))[: len(x), :, :, :, 0, 0])
