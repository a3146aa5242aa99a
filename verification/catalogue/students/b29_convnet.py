import numpy as np
from scipy.signal import correlate

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
        N, _, w, h = x.shape
        K, _, fw, fh = self.W.shape
        y = np.zeros((N, K, w - fw + 1, h - fh + 1))
        for n in range(N):
            for k in range(K):
                y[n, k] = correlate(x[n], self.W[k], mode='valid', method='direct')[0]
        return y + self.b

    def backprop(self, x, dLdy):
        batch_size, channels, w, h = x.shape
        num_filter = dLdy.shape[0]
        dLdW = np.zeros((num_filter,) + self.W.shape[1:])
        for k in range(num_filter):
            for c in range(channels):
                for n in range(batch_size):
                    dLdW[k, c] += correlate(x[n, c], dLdy[n, k], mode='valid', method='direct')

        d = np.pad(dLdy, ((0, 0), (0, 0), (2, 2), (2, 2)))
        dLdx = np.zeros((batch_size, channels, d.shape[2] - self.W.shape[2] + 1, d.shape[3] - self.W.shape[3] + 1))
        for n in range(batch_size):
            for c in range(channels):
                dLdx[n, c] = correlate(d[n], self.W[:, c, ::-1, ::-1], mode='valid', method='direct')[0]
        dLdb = dLdy.sum(axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        self.x = x
        N, C, w, h = x.shape
        ow, oh = w // self.pool_size, h // self.pool_size
        y = np.zeros((N, C, ow, oh))
        for i in range(ow):
            for j in range(oh):
                r, c = i * self.stride, j * self.stride
                y[:, :, i, j] = np.max(x[:, :, r:r + self.pool_size, c:c + self.pool_size], axis=(2, 3))
        return y

    def backprop(self, x, dLdy):
        N, C, ow, oh = dLdy.shape
        dLdx = np.zeros(x.shape)
        for n in range(N):
            for m in range(C):
                for i in range(ow):
                    for j in range(oh):
                        r, c = i * self.stride, j * self.stride
                        part = self.x[n, m, r:r + self.pool_size, c:c + self.pool_size]
                        k = part.argmax()
                        dLdx[n, m, r + k // part.shape[1], c + k % part.shape[1]] += dLdy[n, m, i, j]
        return dLdx
