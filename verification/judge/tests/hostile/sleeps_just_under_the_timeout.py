"""Takes nearly the whole timeout at every call. Observed: the layer's time is up, and nothing more is tried."""

import time


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        time.sleep(0.1)
        return x

    def backprop(self, x, dLdy):
        time.sleep(0.1)
        return x
