"""Returns arrays of 1 GB, then 64 of 1 MB, a list of a million, a number of 5000 digits. Observed: refused or wrong."""

import itertools

import numpy as np

results = itertools.cycle(
    [lambda: np.zeros(1 << 27), lambda: [np.zeros(1 << 17)] * 64, lambda: [0] * 10**6, lambda: 10**5000]
)


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return next(results)()

    def backprop(self, x, dLdy):
        return next(results)()
