"""Reads address 0 in backprop. Observed: killed by signal 11."""

import ctypes


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x

    def backprop(self, x, dLdy):
        return ctypes.string_at(0)
