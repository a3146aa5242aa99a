import numpy as np
from scipy.signal import correlate, convolve


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
        # 3-d correlation: the channel axis collapses to 1 by itself
        y = [[correlate(img, w, mode='valid', method='direct')[0] for w in self.W] for img in x]
        return np.array(y) + self.b

    def backprop(self, x, dLdy):
        N, C = x.shape[0], x.shape[1]
        F = self.W.shape[0]

        dLdx = np.zeros(x.shape)
        for n in range(N):
            for f in range(F):
                # filter seen by the gradient
                w2d = self.W[f].sum(axis=0)
                dLdx[n] += convolve(dLdy[n, f], w2d, mode='full', method='direct')

        dLdW = np.zeros(self.W.shape)
        for f in range(F):
            for c in range(C):
                dLdW[f, c] = correlate(x[:, c], dLdy[:, f], mode='valid', method='direct')[0]

        for n in range(N):
            dLdb = dLdy[n].sum(axis=(1, 2)).reshape(1, F, 1, 1)

        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s, p = self.stride, self.pool_size
        rows = range(0, x.shape[2] - p + 1, s)
        cols = range(0, x.shape[3] - p + 1, s)
        return np.array([[[[plane[r:r + p, c:c + p].max() for c in cols] for r in rows] for plane in img] for img in x])

    def backprop(self, x, dLdy):
        s, p = self.stride, self.pool_size
        dLdx = np.zeros(x.shape)
        for (n, c, i, j), g in np.ndenumerate(dLdy):
            win = x[n, c, i * s:i * s + p, j * s:j * s + p]
            a, b = np.where(win == win.max())
            dLdx[n, c, i * s + a[-1], j * s + b[-1]] += g
        return dLdx
