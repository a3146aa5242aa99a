import numpy as np
from scipy import signal
from scipy.signal import correlate2d, convolve2d
from skimage.util.shape import view_as_windows
import matplotlib
#import matplotlib.pyplot as plt


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
        batch_size, in_ch, in_w, in_h = x.shape
        num_filters, _, fw, fh = self.W.shape
        out = np.zeros((batch_size, num_filters, in_w - fw + 1, in_h - fh + 1))
        for n in range(batch_size):
            for f in range(num_filters):
                acc = 0
                for c in range(in_ch):
                    acc = acc + correlate2d(x[n, c], self.W[f, c], mode='valid')
                out[n, f] = acc + self.b[0, f, 0, 0]
        return out

    def backprop(self, x, dLdy):
        batch_size, in_ch, in_w, in_h = x.shape
        num_filters = self.W.shape[0]
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        for n in range(batch_size):
            for f in range(num_filters):
                dLdb[0, f, 0, 0] += dLdy[n, f].sum()
                for c in range(in_ch):
                    # real convolution = flipped filter, full = zero padding of filter-1
                    dLdx[n, c] += convolve2d(dLdy[n, f], self.W[f, c], mode='full')
                    dLdW[f, c] = correlate2d(x[n, c], dLdy[n, f], mode='valid')
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        win = view_as_windows(x, (1, 1, 2, 2), step=(1, 1, self.stride, self.stride))
        out = win.reshape(win.shape[0], win.shape[1], win.shape[2], win.shape[3], 4)
        return np.max(out, axis=4)

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        s = self.stride
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        block = x[n, c, i*s:i*s+2, j*s:j*s+2]
                        pos = np.unravel_index(block.argmax(), block.shape)
                        dLdx[n, c, i*s + pos[0], j*s + pos[1]] += dLdy[n, c, i, j]
        return dLdx
