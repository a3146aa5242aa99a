import numpy as np
from skimage.util.shape import view_as_windows

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
        fw, fh = self.W.shape[2], self.W.shape[3]
        v = view_as_windows(x, (1, self.W.shape[1], fw, fh))
        v = v.reshape(v.shape[0], v.shape[2], v.shape[3], -1)
        out = np.einsum('nijk,fk->nfij', v, self.W.reshape(self.W.shape[0], -1))
        return out + self.b

    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2], self.W.shape[3]
        dLdx = np.zeros(x.shape)
        padded = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)))
        v = view_as_windows(padded, (1, 1, fw, fh))[:, :, :, :, 0, 0]
        dLdx = np.einsum('nfijpq,fcpq->ncij', v, np.flip(self.W, (2, 3)))

        # dLdW = conv of x with dLdy ???
        # for n in range(x.shape[0]):
        #     dLdW[n] = ...
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, w, h = x.shape
        out = np.zeros((N, C, w // self.stride, h // self.stride))
        for i in range(w // self.stride):
            for j in range(h // self.stride):
                a, b = i * self.stride, j * self.stride
                out[:, :, i, j] = x[:, :, a:a + self.pool_size, b:b + self.pool_size].max(axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        N, C, ow, oh = dLdy.shape
        rows = np.zeros(dLdy.shape, dtype=int)
        cols = np.zeros(dLdy.shape, dtype=int)
        for n, c, i, j in np.ndindex(*dLdy.shape):
            a, b = i * self.stride, j * self.stride
            w = x[n, c, a:a + self.pool_size, b:b + self.pool_size]
            p, q = np.unravel_index(w.argmax(), w.shape)
            rows[n, c, i, j], cols[n, c, i, j] = a + p, b + q
        # positions are known now, dLdx has the size of x
        dLdx = x if x.dtype == float else x.astype(float)
        dLdx[...] = 0
        for n, c, i, j in np.ndindex(*dLdy.shape):
            dLdx[n, c, rows[n, c, i, j], cols[n, c, i, j]] += dLdy[n, c, i, j]
        return dLdx
