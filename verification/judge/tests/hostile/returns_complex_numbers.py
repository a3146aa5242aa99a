"""Returns complex numbers from both methods. Observed: each property says what it got."""


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x + 0j

    def backprop(self, x, dLdy):
        return x + 0j
