import numpy as np


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
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

    def forward(self, x):
        # add up the shifted input, one tap of the filter after another
        _, _, fw, fh = self.W.shape
        ow = x.shape[2] - (fw - 1)
        oh = x.shape[3] - (fh - 1)
        y = np.zeros((x.shape[0], self.W.shape[0], ow, oh)) + self.b
        for i in range(fw):
            for j in range(fh):
                tap = np.tensordot(x[:, :, i:i + ow, j:j + oh], self.W[:, :, i, j], axes=([1], [1]))
                y += np.moveaxis(tap, 3, 1)
        return y

    def backprop(self, x, dLdy):
        _, _, fw, fh = self.W.shape
        ow, oh = dLdy.shape[2:]
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        for i in range(fw):
            for j in range(fh):
                dLdW[:, :, i, j] = np.tensordot(dLdy, x[:, :, i:i + ow, j:j + oh], axes=([0, 2, 3], [0, 2, 3]))
                tap = np.tensordot(dLdy, self.W[:, :, i, j], axes=([1], [0]))
                dLdx[:, :, i:i + ow, j:j + oh] += np.moveaxis(tap, 3, 1)
        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def _tap(self, a, i, j, ow, oh):
        s = self.stride
        return a[:, :, i:i + s * (ow - 1) + 1:s, j:j + s * (oh - 1) + 1:s]

    def forward(self, x):
        p, s = self.pool_size, self.stride
        ow, oh = (x.shape[2] - p) // s + 1, (x.shape[3] - p) // s + 1
        y = np.full(x.shape[:2] + (ow, oh), -np.inf)
        for i in range(p):
            for j in range(p):
                y = np.maximum(y, self._tap(x, i, j, ow, oh))
        return y

    def backprop(self, x, dLdy):
        y = self.forward(x)
        ow, oh = y.shape[2:]
        free = np.ones(y.shape, dtype=bool)         # window has not given its gradient away yet
        dLdx = np.zeros(x.shape)
        for i in range(self.pool_size):
            for j in range(self.pool_size):
                hit = free & (self._tap(x, i, j, ow, oh) == y)
                self._tap(dLdx, i, j, ow, oh)[...] += np.where(hit, dLdy, 0.0)
                free &= ~hit
        return dLdx
