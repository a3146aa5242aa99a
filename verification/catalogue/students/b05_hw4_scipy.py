import numpy as np
from scipy import signal


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
        K, C = self.W.shape[:2]
        out = []
        for img in x:
            maps = []
            for k in range(K):
                acc = 0
                for c in range(C):
                    acc = acc + signal.correlate2d(img[c], self.W[k, c], mode='valid')
                maps.append(acc + self.b[0, k, 0, 0])
            out.append(maps)
        return np.array(out)

    def backprop(self, x, dLdy):
        K, C = self.W.shape[:2]
        dLdx = np.zeros(x.shape, dtype=float)
        dLdW = np.zeros_like(self.W)
        dLdb = np.zeros_like(self.b)
        for n in range(x.shape[0]):
            for k in range(K):
                g = dLdy[n, k]
                dLdb[0, k, 0, 0] += g.sum()
                for c in range(C):
                    dLdW[k, c] += signal.correlate2d(x[n, c], g, mode='valid')
                    # 'full' does the zero padding, convolve2d does the flip
                    dLdx[n, c] += signal.convolve2d(g, self.W[k, c], mode='full')
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, w, h = x.shape
        p, s = self.pool_size, self.stride
        out = np.empty((N, C, (w - p) // s + 1, (h - p) // s + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[:, :, i, j] = x[:, :, i*s:i*s+p, j*s:j*s+p].max(axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros(x.shape)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                win = x[:, :, i*s:i*s+p, j*s:j*s+p]
                biggest = win.max(axis=(2, 3), keepdims=True)
                mask = (win == biggest)
                dLdx[:, :, i*s:i*s+p, j*s:j*s+p] += mask * dLdy[:, :, i:i+1, j:j+1]
        return dLdx
