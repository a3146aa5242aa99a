import numpy as np
from scipy import signal
from skimage.util.shape import view_as_windows


def get_indices(in_ch, fw, fh, ow, oh):
    # index arrays of im2col (cs231n style)
    i0 = np.tile(np.repeat(np.arange(fw), fh), in_ch)
    i1 = np.repeat(np.arange(ow), oh)
    j0 = np.tile(np.arange(fh), fw * in_ch)
    j1 = np.tile(np.arange(oh), ow)
    i = i0.reshape(-1, 1) + i1.reshape(1, -1)
    j = j0.reshape(-1, 1) + j1.reshape(1, -1)
    k = np.repeat(np.arange(in_ch), fw * fh).reshape(-1, 1)
    return k, i, j


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
        F, C, fw, fh = self.W.shape
        ow, oh = x.shape[2] - fw + 1, x.shape[3] - fh + 1
        k, i, j = get_indices(C, fw, fh, ow, oh)
        cols = x[:, k, i, j]                          # (N, C*fw*fh, ow*oh)
        y = np.matmul(self.W.reshape(F, -1), cols)
        return y.reshape(x.shape[0], F, ow, oh) + self.b

    def backprop(self, x, dLdy):
        F, C, fw, fh = self.W.shape
        N, _, ow, oh = dLdy.shape
        k, i, j = get_indices(C, fw, fh, ow, oh)
        dcols = np.matmul(self.W.reshape(F, -1).T, dLdy.reshape(N, F, -1))
        dLdx = np.zeros(x.shape)
        np.add.at(dLdx, (slice(None), k, i, j), dcols)

        # W is shared by all images of the batch -> sum of batch
        X = np.sum(x, axis=0)
        G = np.sum(dLdy, axis=0)
        dLdW = np.zeros(self.W.shape)
        for f in range(F):
            for c in range(C):
                dLdW[f, c] = signal.correlate2d(X[c], G[f], mode='valid')

        dLdb = np.sum(G, axis=(1, 2)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        w = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), (1, 1, self.stride, self.stride))
        return w.max((4, 5, 6, 7))

    def backprop(self, x, dLdy):
        y = self.forward(x)
        # stretch y and dLdy back to the size of x, then keep only the max positions
        y_big = y.repeat(2, axis=2).repeat(2, axis=3)
        d_big = dLdy.repeat(2, axis=2).repeat(2, axis=3)
        mask = (x == y_big)
        return mask * d_big
