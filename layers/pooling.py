"""Max-pooling layer: the largest entry of each window, by comparing along one axis and then along the other."""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from layers.arguments import Array, images, positive, shaped, working_dtype


class nn_max_pooling_layer:
    """y[n, c, p, q] = max of x[n, c, p*stride : p*stride + pool_size, q*stride : q*stride + pool_size].

    What is left over at the far edges belongs to no window. Of equal entries the first in row-major order counts as
    largest, and NaN is larger than any number. ValueError for a wrong size or shape, TypeError for what is not a
    real array or a whole number.
    """

    def __init__(self, stride: int, pool_size: int) -> None:
        self.stride, self.pool_size = positive(stride=stride, pool_size=pool_size)

    def forward(self, x: ArrayLike) -> Array:
        """x (n, c, w, h) -> y (n, c, (w - pool_size) // stride + 1, (h - pool_size) // stride + 1); float32 if x is."""
        largest = images(x, "pool", self.pool_size, self.pool_size)
        for axis in (2, 3):
            largest = reduce(np.maximum, self._entries(largest, axis))
        return largest.copy()  # with pools of one entry it is still x

    def backprop(self, x: ArrayLike, dLdy: ArrayLike) -> Array:
        """x (n, c, w, h), dLdy like y -> dLdx like x: the sum of each dLdy whose window has its largest entry there."""
        x = images(x, "pool", self.pool_size, self.pool_size)
        places = self._places_of_the_largest(x)
        dLdy = shaped("dLdy", dLdy, places.shape, "like forward(x)")
        dLdx = np.zeros(x.shape, working_dtype(x, dLdy))
        channels = np.arange(0, x.size, x.shape[2] * x.shape[3]).reshape(*x.shape[:2], 1, 1)  # where each begins in x
        np.add.at(dLdx.reshape(-1), (channels + places).reshape(-1), dLdy.reshape(-1))
        return dLdx

    def _places_of_the_largest(self, x: Array) -> Array:
        """x (n, c, w, h) -> for each entry of y its place in its channel of x, counted in row-major order."""
        w, h = x.shape[2:]
        place = np.broadcast_to(np.arange(w * h, dtype=np.min_scalar_type(w * h)).reshape(w, h), x.shape)
        for axis in (3, 2):  # within the rows first, so that of equal entries those in the first row come first
            (largest, *others), (place, *places) = self._entries(x, axis), self._entries(place, axis)
            x = largest.copy()
            for other, its_place in zip(others, places, strict=True):
                larger = ~((other <= x) | np.isnan(x))  # or the first NaN
                place = np.maximum(place, larger * its_place)  # later in the window is later in the channel
                np.maximum(x, other, out=x)
        return place

    def _entries(self, x: Array, axis: int) -> list[Array]:
        """Return views of x: for each place in a window along this axis (2 or 3), the entries that stand there."""
        last = x.shape[axis] - self.pool_size + 1
        places = [slice(i, last + i, self.stride) for i in range(self.pool_size)]
        return [x[:, :, place] if axis == 2 else x[..., place] for place in places]


nn_maxpool_layer = nn_max_pooling_layer  # the assignment's document names it so
