# HW4
import numpy as np
from skimage.util.shape import view_as_windows as vaw


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.fw, self.fh = filter_width, filter_height
        self.cin, self.cout = in_ch_size, num_filters

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        hi = x.shape[2] - self.fw + 1
        wi = x.shape[3] - self.fh + 1
        banana = np.zeros((x.shape[0], self.cout, hi, wi))
        for n in range(x.shape[0]):
            for k in range(self.cout):
                for c in range(self.cin):
                    v = vaw(x[n, c], (self.fw, self.fh))
                    banana[n, k] += np.sum(v * self.W[k, c], axis=(2, 3)) + self.b[0, k, 0, 0]
        return banana

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        flipped = self.W[:, :, ::-1, ::-1]
        pad = ((self.fw - 1, self.fw - 1), (self.fh - 1, self.fh - 1))
        for n in range(x.shape[0]):
            for k in range(self.cout):
                g = vaw(np.pad(dLdy[n, k], pad, 'constant'), (self.fw, self.fh))
                for c in range(self.cin):
                    dLdx[n, c] += np.sum(g * flipped[k, c], axis=(2, 3))
                    # dy/dW = the part of x the filter element has seen
                    v = vaw(x[n, c], dLdy.shape[2:])
                    dLdW[k, c] += np.sum(v, axis=(2, 3))
        dLdb = np.sum(np.sum(dLdy, axis=0), axis=(1, 2)).reshape(1, self.cout, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        n, c, H, W = x.shape
        out = np.zeros((n, c, (H - self.pool_size) // self.stride + 1, (W - self.pool_size) // self.stride + 1))
        for i in range(0, H - self.pool_size, self.stride):
            for j in range(0, W - self.pool_size, self.stride):
                cut = x[:, :, i:i + self.pool_size, j:j + self.pool_size]
                out[:, :, i // self.stride, j // self.stride] = cut.max(axis=3).max(axis=2)
        return out

    def backprop(self, x, dLdy):
        n, c, H, W = x.shape
        dLdx = np.zeros((n, c, H, W))
        for b in range(n):
            for ch in range(c):
                for i in range(0, H - self.pool_size, self.stride):
                    for j in range(0, W - self.pool_size, self.stride):
                        cut = x[b, ch, i:i + self.pool_size, j:j + self.pool_size]
                        r, s = np.where(cut == cut.max())
                        dLdx[b, ch, i + r[0], j + s[0]] += dLdy[b, ch, i // self.stride, j // self.stride]
        return dLdx
