"""What is right: the layers again, from SciPy or as loops over the definition, for exactness and not for speed."""

from typing import Any

import numpy as np
from scipy.signal import correlate

from verification.case import Array

LARGE = 30_000
"""Products of the sizes of x and W from which correlation_by_taps takes less time than SciPy."""


def correlation(x: Array, W: Array, b: Array, **_settings: Any) -> Array:
    """x (n, c, w, h), W (f, c, kw, kh), b (1, f, 1, 1) -> y (n, f, w - kw + 1, h - kh + 1).

    Source: scipy.signal.correlate of all images and channels with one filter at a time. It sums products
    one by one, which is exact for whole numbers; the FFT that it may choose without "direct" is not.
    """
    if not 0 < x.size * W.size < LARGE:  # SciPy refuses an empty batch
        return correlation_by_taps(x, W, b)
    return np.concatenate([correlate(x, W[f : f + 1], "valid", "direct") for f in range(len(W))], axis=1) + b


def correlation_by_taps(x: Array, W: Array, b: Array) -> Array:
    """Return the same: the image moved by each place in the filter, weighted by what stands there, added up.

    Some forty times faster for large layers, and as exact.
    """
    w, h = x.shape[2] - W.shape[2] + 1, x.shape[3] - W.shape[3] + 1
    y = np.zeros((len(W), len(x), w, h))
    for i, j in np.ndindex(W.shape[2:]):
        y += np.tensordot(W[:, :, i, j], x[:, :, i : i + w, j : j + h], axes=(1, 1))
    return y.transpose(1, 0, 2, 3) + b


def correlation_gradient(dLdy: Array, x: Array, W: Array, b: Array, **_settings: Any) -> dict[str, Array]:
    """Return the gradients of sum(dLdy * correlation(x, W, b)) by argument, a place in the filter at a time."""
    w, h = dLdy.shape[2:]
    dLdx, dLdW = np.zeros(x.shape), np.zeros(W.shape)
    for i, j in np.ndindex(W.shape[2:]):
        part = np.s_[:, :, i : i + w, j : j + h]
        dLdx[part] += np.einsum("nfwh,fc->ncwh", dLdy, W[:, :, i, j])
        dLdW[:, :, i, j] = np.einsum("nfwh,ncwh->fc", dLdy, x[part])
    return {"x": dLdx, "W": dLdW, "b": dLdy.sum(axis=(0, 2, 3)).reshape(b.shape)}


def maximum_gradient(dLdy: Array, x: Array, stride: int, pool_size: int) -> dict[str, Array]:
    """Return the gradient of sum(dLdy * maximum(x)), a window at a time; of equal entries the first takes it."""
    dLdx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dLdy.shape):
        window = np.s_[n, c, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size]
        dLdx[window][np.unravel_index(x[window].argmax(), x[window].shape)] += dLdy[n, c, i, j]
    return {"x": dLdx}


def maximum(x: Array, stride: int, pool_size: int) -> Array:
    """x (n, c, w, h) -> the largest entry of every window, (n, c, (w - pool_size) // stride + 1, ...).

    Source: the definition, a window at a time.
    """
    w, h = ((size - pool_size) // stride + 1 for size in x.shape[2:])
    y = np.empty((*x.shape[:2], w, h))
    for i in range(w):
        for j in range(h):
            left, top = i * stride, j * stride
            y[:, :, i, j] = x[:, :, left : left + pool_size, top : top + pool_size].max(axis=(2, 3))
    return y
