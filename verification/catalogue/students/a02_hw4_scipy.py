# HW4  CNN layers
# 20194071
import numpy as np
from scipy import signal


class nn_convolutional_layer:
    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        scale = std / np.sqrt(in_ch_size * filter_width * filter_height / 2)
        self.W = np.random.normal(0, scale, (num_filters, in_ch_size, filter_width, filter_height))
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
        # scipy already has a 2d convolution with no padding ("valid")
        maps = []
        for image in x:
            per_filter = []
            for kernel, bias in zip(self.W, self.b.ravel()):
                acc = 0
                for plane, k in zip(image, kernel):
                    acc = acc + signal.convolve2d(plane, k, mode='valid')
                per_filter.append(acc + bias)
            maps.append(per_filter)
        return np.array(maps)

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = dLdy.sum(axis=0).sum(axis=1).sum(axis=1)[None, :, None, None]

        for n, image in enumerate(x):
            for f in range(len(self.W)):
                g = dLdy[n, f]
                for c, plane in enumerate(image):
                    # the kernel of forward is turned around by convolve2d, so here it is not
                    dLdx[n, c] += signal.correlate2d(g, self.W[f, c], mode='full')
                    dLdW[f, c] += signal.correlate2d(plane, g, mode='valid')[::-1, ::-1]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def windows(self, x):
        """yields output position and the slice of the window"""
        n = self.pool_size
        i = 0
        for top in range(0, x.shape[2] - n + 1, n):
            j = 0
            for left in range(0, x.shape[3] - n + 1, n):
                yield i, j, slice(top, top + n), slice(left, left + n)
                j += 1
            i += 1

    def forward(self, x):
        n = self.pool_size
        out = np.zeros((x.shape[0], x.shape[1], len(range(0, x.shape[2] - n + 1, n)), len(range(0, x.shape[3] - n + 1, n))))
        for i, j, rows, cols in self.windows(x):
            out[:, :, i, j] = x[:, :, rows, cols].max(axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for i, j, rows, cols in self.windows(x):
            win = x[:, :, rows, cols]
            top = (win == win.max(axis=(2, 3), keepdims=True))
            # if there are several maxima they share the gradient
            share = top / top.sum(axis=(2, 3), keepdims=True)
            dLdx[:, :, rows, cols] += share * dLdy[:, :, i:i + 1, j:j + 1]
        return dLdx
