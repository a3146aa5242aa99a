"""
hw4: conv layer + max pooling layer
"""
import numpy as np


def slide(x, wx, wy, step=1):
    """all windows of x: (wx, wy, N, C, ox, oy), one slab per offset"""
    ox = (x.shape[2] - wx) // step + 1
    oy = (x.shape[3] - wy) // step + 1
    slabs = np.empty((wx, wy) + x.shape[:2] + (ox, oy), dtype=x.dtype)
    for u in range(wx):
        for v in range(wy):
            slabs[u, v] = x[:, :, u:u + step * ox:step, v:v + step * oy:step][:, :, :ox, :oy]
    return slabs


class nn_convolutional_layer:
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

    def forward(self, x):
        wx, wy = self.W.shape[-2:]
        return np.einsum("uvncij,fcuv->nfij", slide(x, wx, wy), self.W) + self.b

    def backprop(self, x, dLdy):
        wx, wy = self.W.shape[-2:]
        dLdW = np.einsum("uvncij,nfij->fcuv", slide(x, wx, wy), dLdy)
        dLdb = np.einsum("nfij->f", dLdy)[np.newaxis, :, np.newaxis, np.newaxis]
        dLdx = np.zeros(x.shape)
        ox, oy = dLdy.shape[-2:]
        for u in range(wx):
            for v in range(wy):
                dLdx[:, :, u:u + ox, v:v + oy] += np.einsum("nfij,fc->ncij", dLdy, self.W[:, :, u, v])
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride, self.pool_size = stride, pool_size

    def forward(self, x):
        return slide(x, self.pool_size, self.pool_size, self.stride).max(axis=(0, 1))

    def backprop(self, x, dLdy):
        slabs = slide(x, self.pool_size, self.pool_size, self.stride)
        is_max = slabs == slabs.max(axis=(0, 1))
        dLdx = np.zeros(x.shape)
        ox, oy = dLdy.shape[-2:]
        st = self.stride
        for u in range(self.pool_size):
            for v in range(self.pool_size):
                # gradient goes through wherever x was the maximum of its window
                dLdx[:, :, u:u + st * ox:st, v:v + st * oy:st][:, :, :ox, :oy] += is_max[u, v] * dLdy
        return dLdx
