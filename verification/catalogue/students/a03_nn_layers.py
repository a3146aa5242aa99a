import numpy as np
from skimage.util.shape import view_as_windows


class nn_convolutional_layer:
    """ y[n,f,i,j] = b[f] + sum_{c,p,q} W[f,c,p,q] x[n,c,i+p,j+q] """

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

    @staticmethod
    def _patches(a, w, h):
        # (n, c, i, j, p, q)
        return view_as_windows(a, (1, 1, w, h))[:, :, :, :, 0, 0]

    def forward(self, x):
        _, _, w, h = self.W.shape
        return np.einsum('ncijpq,fcpq->nfij', self._patches(x, w, h), self.W, optimize=True) + self.b

    def backprop(self, x, dLdy):
        _, _, w, h = self.W.shape
        db = np.einsum('nfij->f', dLdy).reshape(1, -1, 1, 1)
        dW = np.einsum('ncijpq,nfij->fcpq', self._patches(x, w, h), dLdy, optimize=True)
        g = np.pad(dLdy, [(0, 0), (0, 0), (w - 1, w - 1), (h - 1, h - 1)])
        dx = np.einsum('nfijpq,fcpq->ncij', self._patches(g, w, h), np.flip(self.W, (2, 3)), optimize=True)
        return dx, dW, db


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def _flat(self, x):
        p, s = self.pool_size, self.stride
        v = view_as_windows(x, (1, 1, p, p), step=(1, 1, s, s))
        return v.reshape(v.shape[:4] + (p * p,))

    def forward(self, x):
        return self._flat(x).max(axis=-1)

    def backprop(self, x, dLdy):
        where = self._flat(x).argmax(axis=-1)
        n, c, i, j = np.indices(where.shape)
        row = i * self.stride + where // self.pool_size
        col = j * self.stride + where % self.pool_size
        dx = np.zeros(x.shape, dtype=np.float64)
        np.add.at(dx, (n, c, row, col), dLdy)
        return dx
