import numpy as np
from skimage.util.shape import view_as_windows

# 1. convolution layer  (done)
# 2. max pooling        (TODO until friday!!)

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.filter_width = filter_width
        self.filter_height = filter_height
        self.in_ch_size = in_ch_size
        self.num_filters = num_filters
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        out_w = x.shape[2] - self.filter_width + 1
        out_h = x.shape[3] - self.filter_height + 1
        out = np.zeros((x.shape[0], self.num_filters, out_w, out_h))
        for b in range(x.shape[0]):
            for f in range(self.num_filters):
                for c in range(self.in_ch_size):
                    y = view_as_windows(x[b, c], (self.filter_width, self.filter_height))
                    y = y.reshape((out_w, out_h, -1))
                    out[b, f] += y.dot(self.W[f, c].reshape(-1, 1))[:, :, 0]
                out[b, f] += self.b[0, f]
        return out

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        pw, ph = self.filter_width - 1, self.filter_height - 1
        for b in range(x.shape[0]):
            for f in range(self.num_filters):
                d = dLdy[b, f]
                dLdb[0, f] += d.sum()
                dp = np.pad(d, ((pw, pw), (ph, ph)))
                for c in range(self.in_ch_size):
                    xv = view_as_windows(x[b, c], d.shape)
                    dLdW[f, c] += (xv * d).sum(axis=(2, 3))
                    dv = view_as_windows(dp, (self.filter_width, self.filter_height))
                    dLdx[b, c] += (dv * np.flip(self.W[f, c])).sum(axis=(2, 3))
        return dLdx, dLdW, dLdb
