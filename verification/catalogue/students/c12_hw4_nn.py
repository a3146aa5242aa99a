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
        B, C, H, Wd = x.shape
        F, _, R, S = self.W.shape
        y = np.zeros((B, F, H - R + 1, Wd - S + 1))
        for n in range(B):
            for f in range(F):
                for p in range(H - R + 1):
                    for q in range(Wd - S + 1):
                        total = 0.0
                        for c in range(C):
                            for i in range(R):
                                for j in range(S):
                                    total += x[n, c, p + i, q + j] * self.W[f, c, i, j]
                        y[n, f, p, q] = total + self.b[0, f, 0, 0]
        return y

    def backprop(self, x, dLdy):
        B, C, H, Wd = x.shape
        F, _, R, S = self.W.shape
        dLdx = np.zeros_like(x)
        dLdW = np.zeros((F, C, R, S))
        dLdb = np.zeros((1, F, 1, 1))
        Wsum = np.sum(self.W, axis=1)
        for n in range(B):
            for f in range(F):
                for p in range(dLdy.shape[2]):
                    for q in range(dLdy.shape[3]):
                        g = dLdy[n, f, p, q]
                        dLdb[0, f, 0, 0] += g
                        for c in range(C):
                            for i in range(R):
                                for j in range(S):
                                    dLdx[n, c, p + i, q + j] += g * Wsum[f, i, j]
                                    dLdW[f, c, i, j] += g * x[n, c, p + i, q + j]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s = self.stride
        k = self.pool_size
        B, C, H, Wd = x.shape
        out = np.empty((B, C, (H - k) // s + 1, (Wd - k) // s + 1))
        for n in range(B):
            for c in range(C):
                v = view_as_windows(x[n, c], (k, k), step=s)
                out[n, c] = v.max(axis=3).max(axis=2)
        return out

    # TODO Q4
    # def backprop(self, x, dLdy):
    #     return dLdx
