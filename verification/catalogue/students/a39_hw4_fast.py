# fast version with as_strided, no python loop in forward
import numpy as np
from numpy.lib.stride_tricks import as_strided


def columns(x, fw, fh):
    N, C, A, B = x.shape
    mem = x.ravel(order='K')            # no copy
    st = mem.strides[0]
    shape = (N, A - fw + 1, B - fh + 1, C, fw, fh)
    strides = (C * A * B * st, B * st, st, A * B * st, B * st, st)
    return as_strided(mem, shape=shape, strides=strides, writeable=False)


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.dLdW = np.zeros(self.W.shape)

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        fw, fh = self.W.shape[2:]
        y = np.tensordot(columns(x, fw, fh), self.W, axes=([3, 4, 5], [1, 2, 3]))
        return y.transpose(0, 3, 1, 2) + self.b

    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2:]
        ow, oh = dLdy.shape[2:]
        self.dLdW += np.tensordot(dLdy, columns(x, fw, fh), axes=([0, 2, 3], [0, 1, 2]))
        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        dLdx = np.zeros(x.shape)
        for p in range(fw):
            for q in range(fh):
                dLdx[:, :, p:p + ow, q:q + oh] += np.tensordot(self.W[:, :, p, q], dLdy, axes=([0], [1])).swapaxes(0, 1)
        return dLdx, self.dLdW.copy(), dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        p = self.pool_size
        rows = range(0, x.shape[2] - p + 1, self.stride)
        cols = range(0, x.shape[3] - p + 1, p)
        y = np.zeros(x.shape[:2] + (len(rows), len(cols)))
        for i, r in enumerate(rows):
            for j, c in enumerate(cols):
                y[:, :, i, j] = x[:, :, r:r + p, c:c + p].max(axis=(2, 3))
        return y

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros(x.shape)
        for n in range(dLdy.shape[0]):
            for i in range(dLdy.shape[2]):
                for j in range(dLdy.shape[3]):
                    # argmax of the flattened window gives the place inside one channel
                    k = x[n, 0, i * s:i * s + p, j * s:j * s + p].argmax()
                    dLdx[n, :, i * s + k // p, j * s + k % p] += dLdy[n, :, i, j]
        return dLdx
