"""Defines 20000 classes with long names, and 50 parameters to its constructor. Observed: said or cut, and wrong."""

if True:  # a loop of its own would be left out
    for number in range(20000):
        globals()[f"Class{number}" + "x" * 10**5 if number < 50 else f"Class{number}"] = type(
            "C", (), {"__module__": __name__}
        )


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0
