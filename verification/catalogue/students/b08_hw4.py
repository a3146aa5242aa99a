"""
Homework 4: CNN layers
"""
import numpy as np


class nn_convolutional_layer:
    """valid convolution, stride 1"""

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        scale = std / np.sqrt(in_ch_size * filter_width * filter_height / 2)
        self.W = np.random.normal(0, scale, (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 * np.ones((1, num_filters, 1, 1))
        self.input_size = input_size

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def _taps(self, ow, oh):
        for u in range(self.W.shape[2]):
            for v in range(self.W.shape[3]):
                yield u, v, slice(u, u + ow), slice(v, v + oh)

    def forward(self, x):
        ow = x.shape[2] - self.W.shape[2] + 1
        oh = x.shape[3] - self.W.shape[3] + 1
        y = np.zeros((x.shape[0], self.W.shape[0], ow, oh))
        for u, v, a, b in self._taps(ow, oh):
            y += np.einsum('ncij,fc->nfij', x[:, :, a, b], self.W[:, :, u, v])
        return y + self.b

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        for u, v, a, b in self._taps(*dLdy.shape[2:]):
            dLdx[:, :, a, b] += np.einsum('nfij,fc->ncij', dLdy, self.W[:, :, u, v])
            dLdW[:, :, u, v] = np.einsum('nfij,ncij->fc', dLdy, x[:, :, a, b])
        dLdb = np.einsum('nfij->f', dLdy)[None, :, None, None]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size
        self.max_index = {}

    def forward(self, x):
        n, c, w, h = x.shape
        ow = (w - self.pool_size) // self.stride + 1
        oh = (h - self.pool_size) // self.stride + 1
        out = np.zeros((n, c, ow, oh))
        self.max_index = {}
        for a in range(n):
            for b in range(c):
                for i in range(ow):
                    for j in range(oh):
                        r0, c0 = i * self.stride, j * self.stride
                        best = (r0, c0)
                        for r in range(r0, r0 + self.pool_size):
                            for s in range(c0, c0 + self.pool_size):
                                if x[a, b, r, s] > x[a, b, best[0], best[1]]:
                                    best = (r, s)
                        self.max_index[a, b, i, j] = best
                        out[a, b, i, j] = x[a, b, best[0], best[1]]
        return out

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for (a, b, i, j), (r, s) in self.max_index.items():
            dLdx[a, b, r, s] += dLdy[a, b, i, j]
        return dLdx
