"""Returns infinity and numbers of 2^70 and 10^308. Observed: wrong."""

import itertools

import numpy as np

large = itertools.cycle([2.0**70, 1e308, np.inf, -np.inf])


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * next(large)

    def backprop(self, x, dLdy):
        return np.full(x.shape, next(large))
