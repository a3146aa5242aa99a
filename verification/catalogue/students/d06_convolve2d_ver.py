import numpy as np
from scipy.signal import convolve2d


class nn_convolutional_layer:

    def __init__(self, Wx_size, Wy_size, input_size, in_ch_size, out_ch_size, std=1e0):
        # initialize weights
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
        out_ch, in_ch, fx, fy = self.W.shape
        out = np.zeros((x.shape[0], out_ch, x.shape[2] - fx + 1, x.shape[3] - fy + 1))
        for n in range(x.shape[0]):
            for o in range(out_ch):
                for c in range(in_ch):
                    # no padding -> valid
                    out[n, o] += convolve2d(x[n, c], self.W[o, c], mode='valid')
                out[n, o] += self.b[0, o, 0, 0]
        return out

    def backprop(self, x, dLdy):
        out_ch, in_ch, fx, fy = self.W.shape
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        for n in range(x.shape[0]):
            for o in range(out_ch):
                for c in range(in_ch):
                    dLdx[n, c] += convolve2d(dLdy[n, o], self.W[o, c], mode='full')
                    dLdW[o, c] += convolve2d(x[n, c], dLdy[n, o], mode='valid')
                dLdb[0, o, 0, 0] += dLdy[n, o].sum()
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s, k = self.stride, self.pool_size
        ow = (x.shape[2] - k) // s + 1
        oh = (x.shape[3] - k) // s + 1
        out = np.zeros((x.shape[0], x.shape[1], ow, oh))
        for p in range(ow):
            for q in range(oh):
                out[:, :, p, q] = x[:, :, p * s:p * s + k, q * s:q * s + k].max(axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        k = self.pool_size
        dLdx = np.zeros(x.shape)
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for p in range(dLdy.shape[2]):
                    for q in range(dLdy.shape[3]):
                        win = x[n, c, p * k:(p + 1) * k, q * k:(q + 1) * k]
                        i, j = np.unravel_index(win.argmax(), win.shape)
                        dLdx[n, c, p * k + i, q * k + j] += dLdy[n, c, p, q]
        return dLdx
