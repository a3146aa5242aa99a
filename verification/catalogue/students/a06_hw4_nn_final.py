import numpy as np
from skimage.util import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.fw = filter_width
        self.fh = filter_height
        self.num_filters = num_filters

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        N, C = x.shape[:2]
        y = view_as_windows(x, (1, C, self.fw, self.fh))
        y = y[:, 0, :, :, 0]                                   # N, ow, oh, C, fw, fh
        out = np.tensordot(y, self.W, axes=((3, 4, 5), (1, 2, 3)))
        out = np.moveaxis(out, -1, 1)
        return out + self.b

    def backprop(self, x, dLdy):
        N, C, w, h = x.shape
        ow, oh = dLdy.shape[2], dLdy.shape[3]

        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(1, self.num_filters, 1, 1)

        # W is shared by all images -> add the images together first, it is much faster
        xs = x.sum(axis=0)
        ds = dLdy.sum(axis=0)
        dLdW = np.zeros((self.num_filters, C, self.fw, self.fh))
        for p in range(self.fw):
            for q in range(self.fh):
                dLdW[:, :, p, q] = np.tensordot(ds, xs[:, p:p + ow, q:q + oh], axes=((1, 2), (1, 2)))

        dLdx = np.zeros((N, C, w, h))
        for p in range(self.fw):
            for q in range(self.fh):
                # N,F,ow,oh x F,C -> N,ow,oh,C
                dLdx[:, :, p:p + ow, q:q + oh] += np.tensordot(dLdy, self.W[:, :, p, q], axes=(1, 0)).transpose(0, 3, 1, 2)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, w, h = x.shape
        p, s = self.pool_size, self.stride
        ow, oh = (w - p) // s + 1, (h - p) // s + 1
        out = np.zeros((N, C, ow, oh))
        for i in range(p):
            for j in range(p):
                # (i,j)-th element of all the windows at once
                out = np.maximum(out, x[:, :, i:i + s * (ow - 1) + 1:s, j:j + s * (oh - 1) + 1:s])
        return out

    def backprop(self, x, dLdy):
        N, C, w, h = x.shape
        p, s = self.pool_size, self.stride
        _, _, ow, oh = dLdy.shape
        dLdx = np.zeros((N, C, w, h))
        for n in range(N):
            for c in range(C):
                for i in range(ow):
                    for j in range(oh):
                        best, bi, bj = -np.inf, 0, 0
                        for a in range(i * s, i * s + p):
                            for b in range(j * s, j * s + p):
                                if x[n, c, a, b] > best:
                                    best, bi, bj = x[n, c, a, b], a, b
                        dLdx[n, c, bi, bj] += dLdy[n, c, i, j]
        return dLdx
