# hw4_nn.py
# I normally use MATLAB so indices start from 1 and I subtract 1 when indexing.
import numpy as np
from numpy import zeros, floor


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
        [N, C, w, h] = x.shape
        [K, C, fw, fh] = self.W.shape
        ow = w - fw + 1
        oh = h - fh + 1
        y = zeros((N, K, ow, oh))
        Wm = self.W.reshape((K, -1), order='F')     # K x (C*fw*fh)
        bv = self.b.flatten('F')
        for n in range(1, N + 1):
            for r in range(1, ow + 1):
                for s in range(1, oh + 1):
                    blk = x[n-1, :, r-1:r-1+fw, s-1:s-1+fh]
                    y[n-1, :, r-1, s-1] = Wm @ blk.flatten('F') + bv    # x(:)
        return y

    def backprop(self, x, dLdy):
        [N, C, w, h] = x.shape
        [K, C, fw, fh] = self.W.shape
        ow = w - fw + 1
        oh = h - fh + 1
        Wm = self.W.reshape((K, -1), order='F')
        dLdx = zeros((N, C, w, h))
        dWm = zeros((K, C * fw * fh))
        for n in range(1, N + 1):
            for r in range(1, ow + 1):
                for s in range(1, oh + 1):
                    g = dLdy[n-1, :, r-1, s-1]
                    blk = x[n-1, :, r-1:r-1+fw, s-1:s-1+fh]
                    dWm = dWm + np.outer(g, blk.flatten('F'))
                    back = Wm.T @ g
                    dLdx[n-1, :, r-1:r-1+fw, s-1:s-1+fh] += back.reshape((C, fw, fh), order='F')
        dLdW = dWm.reshape((K, C, fw, fh))

        # sum over the batch, then over both image directions
        g = dLdy
        for n in range(2, N + 1):
            g[0, :, :, :] = g[0, :, :, :] + g[n-1, :, :, :]
        dLdb = np.sum(np.sum(g[0, :, :, :], 2), 1).reshape((1, K, 1, 1))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        [N, C, w, h] = x.shape
        P = self.pool_size
        ow = int(floor((w - P) / self.stride)) + 1
        oh = int(floor((h - P) / self.stride)) + 1
        y = zeros((N, C, ow, oh))
        for r in range(1, ow + 1):
            for s in range(1, oh + 1):
                r0 = (r - 1) * self.stride
                s0 = (s - 1) * self.stride
                y[:, :, r-1, s-1] = np.max(np.max(x[:, :, r0:r0+P, s0:s0+P], 3), 2)
        return y

    def backprop(self, x, dLdy):
        [N, C, w, h] = x.shape
        [N, C, ow, oh] = dLdy.shape
        P = self.pool_size
        dLdx = zeros((N, C, w, h))
        for n in range(1, N + 1):
            for c in range(1, C + 1):
                for r in range(1, ow + 1):
                    for s in range(1, oh + 1):
                        r0 = (r - 1) * self.stride
                        s0 = (s - 1) * self.stride
                        win = x[n-1, c-1, r0:r0+P, s0:s0+P]
                        # [m, ind] = max(win(:)); [a, b] = ind2sub([P P], ind)
                        ind = np.argmax(win)
                        a = ind % P
                        b = ind // P
                        dLdx[n-1, c-1, r0+a, s0+b] += dLdy[n-1, c-1, r-1, s-1]
        return dLdx


# test
x = np.arange(1, 17, dtype=float).reshape(1, 1, 4, 4)
mp = nn_max_pooling_layer(2, 2)
print(mp.forward(x))
print(mp.backprop(x, np.ones((1, 1, 2, 2))))
