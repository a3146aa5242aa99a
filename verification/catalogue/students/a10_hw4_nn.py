import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.F = num_filters

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        N, C, w, h = x.shape
        # 3x3 window
        cols = view_as_windows(x, (1, C, 3, 3))
        cols = cols.reshape(-1, C * 3 * 3)
        y = cols.dot(self.W.reshape(self.F, -1).T)
        y = y.reshape(N, w - 3 + 1, h - 3 + 1, self.F)
        y = y.transpose(0, 3, 1, 2)
        y = y + self.b
        return y

    def backprop(self, x, dLdy):
        N, C, w, h = x.shape
        F, _, fw, fh = self.W.shape
        ow, oh = dLdy.shape[2:]

        dLdx = np.zeros(x.shape)
        dW_all = np.zeros((N,) + self.W.shape)
        for n in range(N):
            for i in range(fw):
                for j in range(fh):
                    xs = x[n, :, i:i + ow, j:j + oh].reshape(C, -1)
                    d = dLdy[n].reshape(F, -1)
                    dW_all[n, :, :, i, j] = d @ xs.T
                    dLdx[n, :, i:i + ow, j:j + oh] += (self.W[:, :, i, j].T @ d).reshape(C, ow, oh)
        dLdW = np.mean(dW_all, axis=0)
        dLdb = np.sum(dLdy, axis=(2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        y = y.max(axis=-1).max(axis=-1)
        return y[:, :, :, :, 0, 0]

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        a = i * self.stride
                        b = j * self.stride
                        index = np.argmax(x[n, c, a:a + self.pool_size, b:b + self.pool_size])
                        dx = index % self.pool_size
                        dy = index // self.pool_size
                        dLdx[n, c, a + dx, b + dy] += dLdy[n, c, i, j]
        return dLdx
