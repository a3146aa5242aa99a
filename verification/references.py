"""What is right: the layers again, from SciPy or as loops over the definition, for exactness and not for speed."""

from typing import Any

import numpy as np
from scipy.signal import correlate

from verification.case import Array


def correlation(x: Array, W: Array, b: Array, **_settings: Any) -> Array:
    """x (n, c, w, h), W (f, c, kw, kh), b (1, f, 1, 1) -> y (n, f, w - kw + 1, h - kh + 1).

    Source: scipy.signal.correlate, a filter at a time. method="direct", because "auto" may choose an
    FFT, which is not exact; the filter is never larger than the image, or SciPy would swap the two.
    """
    maps = [correlate(x, w[np.newaxis], mode="valid", method="direct") for w in W]
    return np.concatenate(maps, axis=1) + b


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
