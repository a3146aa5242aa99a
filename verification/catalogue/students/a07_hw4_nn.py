import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, Wx_size, Wy_size, input_size, in_ch_size, out_ch_size, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * Wx_size * Wy_size / 2),
                                  (out_ch_size, in_ch_size, Wx_size, Wy_size))
        self.b = 0.01 + np.zeros((1, out_ch_size, 1, 1))
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
        out_ch, in_ch, wx, wy = self.W.shape
        n = x.shape[0]
        ox, oy = x.shape[2] - wx + 1, x.shape[3] - wy + 1
        out = np.zeros((n, out_ch, ox, oy))
        for k in range(n):
            cols = view_as_windows(x[k], (in_ch, wx, wy))[0].reshape(ox, oy, -1)
            for o in range(out_ch):
                out[k, o] = cols.dot(self.W[o].flatten()) + self.b[0, o, 0, 0]
        return out

    def backprop(self, x, dLdy):
        out_ch, in_ch, wx, wy = self.W.shape
        n, _, ox, oy = dLdy.shape
        dLdW = np.zeros(self.W.shape)
        dLdx = np.zeros(x.shape)

        for k in range(n):
            cols = view_as_windows(x[k], (in_ch, wx, wy))[0].reshape(ox * oy, -1)
            g = dLdy[k].reshape(out_ch, -1)
            dLdW += g.dot(cols).reshape(self.W.shape)

        for k in range(n):
            for o in range(out_ch):
                padded = np.zeros((ox + 2 * (wx - 1), oy + 2 * (wy - 1)))
                padded[wx - 1:wx - 1 + ox, wy - 1:wy - 1 + oy] = dLdy[k, o]
                v = view_as_windows(padded, (wx, wy)).reshape(x.shape[2], x.shape[3], -1)
                for c in range(in_ch):
                    dLdx[k, c] += v.dot(np.rot90(self.W[o, c], 2).reshape(-1))

        dLdb = np.sum(dLdy, (0, 2, 3)).reshape(1, out_ch, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), (1, 1, self.stride, self.stride))
        n, c, ox, oy = v.shape[:4]
        return np.max(v.reshape(n, c, ox, oy, -1), axis=4)

    def backprop(self, x, dLdy):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), (1, 1, self.stride, self.stride))
        n, c, ox, oy = v.shape[:4]
        idx = np.argmax(v.reshape(n, c, ox, oy, -1), axis=4)
        dLdx = np.zeros(x.shape)
        for a in range(n):
            for b in range(c):
                for i in range(ox):
                    for j in range(oy):
                        r, s = divmod(idx[a, b, i, j], self.pool_size)
                        dLdx[a, b, i * self.pool_size + r, j * self.pool_size + s] += dLdy[a, b, i, j]
        return dLdx
