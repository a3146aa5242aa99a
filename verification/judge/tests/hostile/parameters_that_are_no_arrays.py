"""Keeps its parameters as lists, texts and objects, and returns the wrong results. Observed: failed, in words."""

import itertools

import numpy as np

kinds = itertools.cycle([np.ndarray.tolist, str, lambda value: object(), lambda value: None])


class nn_convolutional_layer:
    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1.0):
        pass

    def __setattr__(self, name, value):
        self.__dict__[name] = next(kinds)(value)

    def forward(self, x):
        return x

    def backprop(self, x, dLdy):
        return x, x, x
