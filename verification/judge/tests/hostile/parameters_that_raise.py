"""Has parameters that raise when they are read. Observed: failed, in words."""


class nn_convolutional_layer:
    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1.0):
        pass

    @property
    def W(self):
        raise KeyError("W")

    @W.setter
    def W(self, value):
        self.w = value

    def forward(self, x):
        return x

    def backprop(self, x, dLdy):
        return x, self.w, self.w
