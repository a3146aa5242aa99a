"""HW4 - conv / maxpool layers"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.filter_width = filter_width
        self.filter_height = filter_height
        self.in_ch_size = in_ch_size
        self.num_filters = num_filters
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        patches = sliding_window_view(x, (self.filter_width, self.filter_height), axis=(2, 3))
        return np.einsum('nchwij,fcij->nfhw', patches, self.W) + self.b

    def backprop(self, x, dLdy):
        ph = self.filter_height - 1
        pw = self.filter_width - 1
        # pad (height, width)
        d = np.pad(dLdy, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        d = sliding_window_view(d, (self.filter_width, self.filter_height), axis=(2, 3))
        # rotate 180 and change the roles of in / out channels
        W180 = self.W[:, :, ::-1, ::-1].reshape(self.in_ch_size, self.num_filters,
                                                self.filter_width, self.filter_height)
        dLdx = np.einsum('nfhwij,cfij->nchw', d, W180)

        patches = sliding_window_view(x, (self.filter_width, self.filter_height), axis=(2, 3))
        dLdW = np.einsum('nchwij,nfhw->fcij', patches, dLdy)
        dLdb = np.einsum('nfhw->f', dLdy).reshape(1, self.num_filters, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:

    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        k = self.pool_size
        v = sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::self.stride, ::self.stride]
        return v.max(axis=(-2, -1))

    def backprop(self, x, dLdy):
        k = self.pool_size
        dLdx = np.zeros(x.shape, dtype=float)
        N, C, H, W = dLdy.shape
        for n in range(N):
            for c in range(C):
                for h in range(H):
                    for w in range(W):
                        region = x[n, c, h*k:(h+1)*k, w*k:(w+1)*k]
                        a, b = np.unravel_index(np.argmax(region), region.shape)
                        dLdx[n, c, h*k + a, w*k + b] += dLdy[n, c, h, w]
        return dLdx
