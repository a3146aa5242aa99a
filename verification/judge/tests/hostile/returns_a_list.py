"""Returns lists from both methods. Observed: each property says what it got."""


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x.tolist()

    def backprop(self, x, dLdy):
        return x.tolist()
