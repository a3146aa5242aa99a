"""Calls itself without end, with Python's own limit lifted. Observed: an error, or the death of its process."""

import sys

sys.setrecursionlimit(10**5)


def endless():
    return endless()


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0


class Deep:
    deep = endless()
