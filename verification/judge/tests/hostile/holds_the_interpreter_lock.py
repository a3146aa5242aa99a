"""Spends its time inside one C function, where Python runs no signal handler. Observed: ended at the timeout."""

import re


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        re.match("(a+)+$", "a" * 29 + "b")

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0
