"""Stops its process with SIGSTOP in forward. Observed: no answer in time, and the stopped process is gone."""

import os
import signal


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        os.kill(os.getpid(), signal.SIGSTOP)
        return x

    def backprop(self, x, dLdy):
        return x
