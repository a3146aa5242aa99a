"""Sends SIGKILL to its process group. Observed: the group is its own, so it ends itself and nobody else."""

import os
import signal


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        os.kill(0, signal.SIGKILL)

    def backprop(self, x, dLdy):
        return x
