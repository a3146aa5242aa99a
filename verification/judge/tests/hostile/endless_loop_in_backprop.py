"""Never returns from backprop. Observed: the call is ended at the timeout."""

import time


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x

    def backprop(self, x, dLdy):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass
