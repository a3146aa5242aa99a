import numpy as np
from skimage.util.shape import view_as_windows

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
        n_f, n_c, w, h = self.W.shape
        y = 0
        for c in range(n_c):
            v = view_as_windows(x[:, c], (1, w, h))
            v = v.reshape(v.shape[0], v.shape[1], v.shape[2], w * h)
            y = y + v.dot(self.W[:, c].reshape(n_f, w * h).T)
        return np.moveaxis(y, 3, 1) + self.b

    def backprop(self, x, dLdy):
        n_f, n_c, w, h = self.W.shape
        n, _, ow, oh = dLdy.shape

        dLdx = np.zeros_like(x)
        dLdW = np.zeros_like(self.W)
        dLdb = np.zeros_like(self.b)

        dLdb[0, :, 0, 0] = dLdy.sum(axis=(0, 2, 3))

        for f in range(n_f):
            for c in range(n_c):
                for i in range(w):
                    for j in range(h):
                        dLdW[f, c, i, j] = np.vdot(x[:, c, i:i + ow, j:j + oh], dLdy[:, f])

        pad = np.pad(dLdy, ((0, 0), (0, 0), (w - 1, w - 1), (h - 1, h - 1)), 'constant')
        v = view_as_windows(pad, (1, n_f, w, h))
        v = v.reshape(n, x.shape[2], x.shape[3], n_f * w * h)
        for c in range(n_c):
            k = self.W[:, c, ::-1, ::-1].reshape(-1)
            dLdx[:, c] = v.dot(k)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        v = v.reshape(v.shape[:4] + (self.pool_size ** 2,))
        return v.max(axis=4)

    def backprop(self, x, dLdy):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        v = v.reshape(v.shape[:4] + (self.pool_size ** 2,))
        arg = v.argmax(axis=4)
        out = np.zeros(x.shape)
        n, c, w, h = arg.shape
        for a in range(n):
            for b in range(c):
                for i in range(w):
                    for j in range(h):
                        out[a, b, i * self.stride + arg[a, b, i, j] // self.pool_size, j * self.stride + arg[a, b, i, j] % self.pool_size] += dLdy[a, b, i, j]
        return out
