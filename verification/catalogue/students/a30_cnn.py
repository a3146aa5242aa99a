import numpy as np


class nn_convolutional_layer:
    """Convolution by FFT-free brute force: the filter is moved, not the window."""

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def shifts(self, out_shape):
        ow, oh = out_shape
        for p in range(self.W.shape[2]):
            for q in range(self.W.shape[3]):
                yield p, q, slice(p, p + ow), slice(q, q + oh)

    def forward(self, x):
        ow = x.shape[2] - self.W.shape[2] + 1
        oh = x.shape[3] - self.W.shape[3] + 1
        y = np.zeros((x.shape[0], self.W.shape[0], ow, oh))
        for p, q, r, c in self.shifts((ow, oh)):
            for f in range(self.W.shape[0]):
                for ch in range(self.W.shape[1]):
                    y[:, f] += self.W[f, ch, p, q] * x[:, ch, r, c]
        return y + self.b

    def backprop(self, x, dLdy):
        dx, dW = np.zeros(x.shape), np.zeros(self.W.shape)
        for p, q, r, c in self.shifts(dLdy.shape[2:]):
            for f in range(self.W.shape[0]):
                for ch in range(self.W.shape[1]):
                    dx[:, ch, r, c] += self.W[f, ch, p, q] * dLdy[:, f]
                    dW[f, ch, p, q] = (dLdy[:, f] * x[:, ch, r, c]).sum()
        db = np.zeros(self.b.shape)
        for f in range(self.W.shape[0]):
            # descend along the bias
            db[0, f] -= dLdy[:, f].sum()
        return dx, dW, db


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, A, B = x.shape
        p, s = self.pool_size, self.stride
        return np.stack([np.stack([x[:, :, a:a + p, b:b + p].reshape(N, C, -1).max(-1)
                                   for b in range(0, B - p + 1, s)], -1)
                         for a in range(0, A - p + 1, s)], -2)

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dx = np.zeros(x.shape)
        for (n, c, i, j), g in np.ndenumerate(dLdy):
            w = x[n, c, i * s:i * s + p, j * s:j * s + p]
            k = w.argmax()
            # every one of the p*p elements has 1/(p*p) of the gradient, only the max one passes
            dx[n, c, i * s + k // p, j * s + k % p] += g / (p * p)
        return dx
