"""Windows of images: what a filter or a pool sees."""

import numpy as np
from skimage.util import view_as_windows

from layers.arguments import Array


def windows(x: Array, sides: tuple[int, int], steps: tuple[int, int] = (1, 1)) -> Array:
    """x (n, c, w, h) -> (n, c, i, j, *sides): the window of x that starts at (i, j) times the steps, a view of x."""
    some = x if x.size else np.empty(np.maximum(x.shape, 1), x.dtype)  # view_as_windows refuses an empty batch
    return np.asarray(view_as_windows(some, (1, 1, *sides), (1, 1, *steps))[: len(x), : x.shape[1], :, :, 0, 0])
