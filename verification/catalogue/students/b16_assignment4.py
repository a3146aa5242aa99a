import numpy as np

class nn_convolutional_layer:

    def __init__(self, Wx_size, Wy_size, input_size, in_ch_size, out_ch_size, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * Wx_size * Wy_size / 2),
                                  (out_ch_size, in_ch_size, Wx_size, Wy_size))
        self.b = 0.01 + np.zeros((1, out_ch_size, 1, 1))
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
        w = np.lib.stride_tricks.sliding_window_view(x, self.W.shape[2:], axis=(2, 3))
        return np.einsum('bcxyij,ocij->boxy', w, self.W, optimize=True) + self.b

    def backprop(self, x, dLdy):
        Wx, Wy = self.W.shape[2:]
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        w = np.lib.stride_tricks.sliding_window_view(x, (Wx, Wy), axis=(2, 3))
        for n in range(x.shape[0]):
            dLdb = dLdy[n].sum(axis=(1, 2)).reshape(1, -1, 1, 1)
            dLdW += np.einsum('cxyij,oxy->ocij', w[n], dLdy[n])
            for i in range(Wx):
                for j in range(Wy):
                    dLdx[n, :, i:i + dLdy.shape[2], j:j + dLdy.shape[3]] += \
                        np.tensordot(self.W[:, :, i, j], dLdy[n], axes=(0, 0))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        w = np.lib.stride_tricks.sliding_window_view(x, (self.pool_size, self.pool_size), axis=(2, 3))
        w = w[:, :, ::self.stride, ::self.stride]
        return w.max(axis=(4, 5))

    def backprop(self, x, dLdy):
        w = np.lib.stride_tricks.sliding_window_view(x, (self.pool_size, self.pool_size), axis=(2, 3))
        w = w[:, :, ::self.stride, ::self.stride]
        dLdx = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(dLdy.shape):
            k = w[n, c, i, j].argmax()
            dLdx[n, c, i * self.stride + k // self.pool_size, j * self.stride + k % self.pool_size] = dLdy[n, c, i, j]
        return dLdx
