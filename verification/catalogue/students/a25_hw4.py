import numpy as np
from skimage.util.shape import view_as_windows
np.random.seed(0)

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
        N, C, Wd, Ht = x.shape
        K, _, R, S = self.W.shape
        P, Q = Wd - R + 1, Ht - S + 1
        patches = view_as_windows(x, (1, C, R, S)).reshape(N, P * Q, C * R * S)
        kernel = self.W.reshape(K, C * R * S)
        y = np.empty((N, K, P * Q))
        for n in range(N):
            y[n] = kernel @ patches[n].T
        return y.reshape(N, K, P, Q) + self.b

    def backprop(self, x, dLdy):
        N, C, Wd, Ht = x.shape
        K, _, R, S = self.W.shape
        _, _, P, Q = dLdy.shape

        dLdx = np.zeros((N, C, Wd, Ht))
        dLdW = np.zeros((K, C, R, S))
        dLdb = np.zeros((1, K, 1, 1))

        for r in range(R):
            for s in range(S):
                part = x[:, :, r:r + P, s:s + Q]
                dLdW[:, :, r, s] = np.einsum('nkpq,ncpq->kc', dLdy, part)
                dLdx[:, :, r:r + P, s:s + Q] += np.einsum('nkpq,kc->ncpq', dLdy, self.W[:, :, r, s])

        # the bias is added to everything, so its gradient is the sum of everything
        dLdb += np.sum(dLdy)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, pool_size, stride):
        self.pool_size, self.stride = stride, pool_size

    def forward(self, x):
        k = self.pool_size
        t = self.stride
        v = view_as_windows(x, (1, 1, k, k), step=(1, 1, t, t))
        return v.max(axis=7).max(axis=6)[..., 0, 0]

    def backprop(self, x, dLdy):
        k = self.pool_size
        t = self.stride
        dLdx = np.zeros(x.shape)
        N, C, P, Q = dLdy.shape
        for n in range(N):
            for c in range(C):
                for p in range(P):
                    for q in range(Q):
                        v = x[n, c, p * t:p * t + k, q * t:q * t + k]
                        a = np.argmax(v)
                        dLdx[n, c, p * t + a // k, q * t + a % k] += dLdy[n, c, p, q]
        return dLdx
