"""Sends itself SIGKILL in forward. Observed: killed by signal 9."""

import os
import signal


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        os.kill(os.getpid(), signal.SIGKILL)

    def backprop(self, x, dLdy):
        return x
