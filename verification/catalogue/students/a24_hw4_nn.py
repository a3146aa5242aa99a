import numpy as np
from scipy.signal import correlate2d, convolve2d

# y = x (correlated with) W + b
# dL/dW = x (correlated with) dL/dy
# dL/dx = dL/dy (convolved with, full) W

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
        N, F = x.shape[0], self.W.shape[0]
        out = [[sum(correlate2d(x[n, c], self.W[f, c], mode="valid") for c in range(x.shape[1]))
                for f in range(F)] for n in range(N)]
        return np.asarray(out) + self.b

    def backprop(self, x, dLdy):
        N, C = x.shape[:2]
        F = self.W.shape[0]
        dx = [[sum(convolve2d(dLdy[n, f], self.W[f, c], mode="full") for f in range(F)) for c in range(C)] for n in range(N)]
        dW = [[sum(correlate2d(x[n, c], dLdy[n, f], mode="valid") for n in range(N)) for c in range(C)] for f in range(F)]
        db = [dLdy[:, f].sum() for f in range(F)]
        return np.asarray(dx), np.asarray(dW), np.asarray(db).reshape(1, F, 1, 1)


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def spots(self, length):
        return list(range(0, length - self.pool_size + 1, self.stride))

    def forward(self, x):
        k = self.pool_size
        rows, cols = self.spots(x.shape[2]), self.spots(x.shape[3])
        out = np.zeros(x.shape[:2] + (len(rows), len(cols)))
        for i, r in enumerate(rows):
            for j, c in enumerate(cols):
                out[..., i, j] = x[..., r:r + k, c:c + k].max(axis=(-2, -1))
        return out

    def backprop(self, x, dLdy):
        k = self.pool_size
        dx = np.zeros(x.shape)
        for n in range(x.shape[0]):
            for ch in range(x.shape[1]):
                for i, r in enumerate(self.spots(x.shape[2])):
                    for j, c in enumerate(self.spots(x.shape[3])):
                        window = x[n, ch, r:r + k, c:c + k]
                        dr, dc = np.unravel_index(np.argmax(window), (k, k))
                        dx[n, ch, r + dr, c + dc] += dLdy[n, ch, i, j]
        return dx
