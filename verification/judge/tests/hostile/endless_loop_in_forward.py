"""Never returns from forward. Observed: the call is ended at the timeout; then nothing more is tried."""

import time


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass
        return x

    def backprop(self, x, dLdy):
        return x
