"""Returns NaN from both methods. Observed: each property says what it got."""

import numpy as np


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * np.nan

    def backprop(self, x, dLdy):
        return x * np.nan
