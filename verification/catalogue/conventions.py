"""Correct layers that are called in another way than the suite would: what `adapted` is tried on."""

from typing import Any

import numpy as np

from verification.case import Array


class ChannelsLast:
    """Convolution of x (n, w, h, c) with W (w, h, c, f) and b (f,), by windows."""

    def __init__(self, *_sizes: int) -> None:
        self.W, self.b = np.zeros((1, 1, 1, 1)), np.zeros(1)

    def forward(self, x: Array) -> Array:
        """x (n, w, h, c) -> y (n, w', h', f)."""
        y: Array = np.einsum("nwhcij,ijcf->nwhf", self._windows(x), self.W) + self.b
        return y

    def backprop(self, x: Array, dLdy: Array) -> Any:
        """x, dLdy (n, w', h', f) -> dLdx, dLdW, dLdb."""
        i, j = self.W.shape[0] - 1, self.W.shape[1] - 1
        framed = np.pad(dLdy, ((0, 0), (i, i), (j, j), (0, 0)))
        dLdx = np.einsum("nwhfij,ijcf->nwhc", self._windows(framed), self.turned())
        return dLdx, np.einsum("nwhcij,nwhf->ijcf", self._windows(x), dLdy), dLdy.sum(axis=(0, 1, 2))

    def turned(self) -> Array:
        """Return W turned by 180 degrees."""
        return self.W[::-1, ::-1]

    def _windows(self, x: Array) -> Array:
        return np.lib.stride_tricks.sliding_window_view(x, self.W.shape[:2], axis=(1, 2))


class NotTurned(ChannelsLast):
    """The same, wrong: dLdx is computed with W not turned."""

    def turned(self) -> Array:
        """Return W as it is."""
        return self.W
