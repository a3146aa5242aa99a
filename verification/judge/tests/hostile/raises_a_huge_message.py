"""Raises an error with a text of 1 MB, named by 1 MB. Observed: the first 2000 characters of each."""

Huge = type("Huge" * (1 << 18), (ValueError,), {})


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        raise Huge("x" * (1 << 20))

    def backprop(self, x, dLdy):
        return x
