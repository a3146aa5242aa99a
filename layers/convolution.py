"""Convolutional layer: every output entry is the inner product of one filter with one window of x.

The windows are laid out as the rows of a matrix, so that forward and both large gradients are one
matrix product each. No padding, stride 1, the filter is not flipped (cross-correlation).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.util import view_as_windows

from layers.arguments import images, positive, real_array, shaped, working_dtype

Array = NDArray[Any]


class nn_convolutional_layer:
    """y[n, f] = b[f] + sum over channels c of x[n, c] cross-correlated with W[f, c].

    W has shape (num_filters, in_ch_size, filter_width, filter_height), drawn from a normal
    distribution with deviation std / sqrt(in_ch_size * filter_width * filter_height / 2);
    b has shape (1, num_filters, 1, 1) and starts at 0.01.

    input_size is part of the assignment's interface; the layer takes the size of its images from x,
    which need not be square. ValueError or TypeError for sizes that are not positive whole numbers.
    """

    def __init__(
        self,
        filter_width: int,
        filter_height: int,
        input_size: int,
        in_ch_size: int,
        num_filters: int,
        std: float = 1e0,
    ) -> None:
        positive("input_size", input_size)
        shape = (
            positive("num_filters", num_filters),
            positive("in_ch_size", in_ch_size),
            positive("filter_width", filter_width),
            positive("filter_height", filter_height),
        )
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
        if dW.ndim:
            shaped("dW", dW, self.W.shape, "like W")
        if db.ndim:
            shaped("db", db, self.b.shape, "like b")
        self.W = (self.W + dW).astype(self.W.dtype)
        self.b = (self.b + db).astype(self.b.dtype)

    def forward(self, x: ArrayLike) -> Array:
        """x (n, c, w, h) -> y (n, f, w - filter_width + 1, h - filter_height + 1).

        float32 if x, W and b are; else float64. ValueError if x does not have in_ch_size channels
        or is smaller than the filter, TypeError if it does not hold real numbers.
        """
        x, W = self._checked(x)
        n, f, w, h = self._output_shape(x)
        y = _windows(x, W.shape) @ W.reshape(f, -1).T + self.b.reshape(f)
        y = y.astype(working_dtype(x, W, self.b), copy=False)
        return np.ascontiguousarray(y.reshape(n, w, h, f).transpose(0, 3, 1, 2))

    def backprop(self, x: ArrayLike, dLdy: ArrayLike) -> tuple[Array, Array, Array]:
        """x (n, c, w, h), dLdy like y -> (dLdx like x, dLdW like W, dLdb like b).

        dLdx: every window of x receives the filters, weighted by its dLdy. That is dLdy, framed
        by zeros, convolved with the filters turned by 180 degrees and channels and filters swapped.
        dLdW: the windows of x, weighted by dLdy. dLdb: the sum of dLdy.
        ValueError if dLdy does not have the shape of y.
        """
        x, W = self._checked(x)
        dLdy = shaped("dLdy", dLdy, self._output_shape(x), "like forward(x)")
        dtype = working_dtype(x, W, dLdy)
        f, _, filter_width, filter_height = W.shape

        rows = dLdy.transpose(0, 2, 3, 1).reshape(-1, f).astype(dtype, copy=False)
        dLdW = (rows.T @ _windows(x, W.shape)).reshape(W.shape)
        dLdb = rows.sum(axis=0, dtype=dtype).reshape(self.b.shape)

        frame = ((0, 0), (0, 0), (filter_width - 1,) * 2, (filter_height - 1,) * 2)
        turned = W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        n, c, w, h = x.shape
        dLdx = _windows(np.pad(dLdy, frame).astype(dtype), turned.shape) @ turned.reshape(c, -1).T
        dLdx = np.ascontiguousarray(dLdx.reshape(n, w, h, c).transpose(0, 3, 1, 2))
        return dLdx, dLdW, dLdb

    def _checked(self, x: ArrayLike) -> tuple[Array, Array]:
        """Return x and W in the dtype to work in, or raise."""
        x, W = images("x", x), self.W
        if x.shape[1] != W.shape[1]:
            raise ValueError(f"x should have {W.shape[1]} channels (in_ch_size), but its shape is {x.shape}")
        if x.shape[2] < W.shape[2] or x.shape[3] < W.shape[3]:
            raise ValueError(
                f"x should be at least as large as the filter, {W.shape[2]} x {W.shape[3]},"
                f" but its shape is {x.shape}"
            )
        dtype = working_dtype(x, W)
        return x.astype(dtype, copy=False), W.astype(dtype, copy=False)

    def _output_shape(self, x: Array) -> tuple[int, int, int, int]:
        f, _, filter_width, filter_height = self.W.shape
        return len(x), f, x.shape[2] - filter_width + 1, x.shape[3] - filter_height + 1


def _windows(x: Array, filter_shape: tuple[int, ...]) -> Array:
    """x (n, c, w, h) -> a matrix with one window of x in each row, c * filter area columns."""
    if len(x) == 0:  # view_as_windows refuses an empty array
        return np.empty((0, int(np.prod(filter_shape[1:]))), x.dtype)
    windows: Array = view_as_windows(x, (1, *filter_shape[1:]))
    return windows.reshape(-1, int(np.prod(filter_shape[1:])))
