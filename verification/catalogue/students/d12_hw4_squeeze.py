import numpy as np
from skimage.util.shape import view_as_windows


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

    def conv(self, x, w):
        nf = w.shape[0]
        y = view_as_windows(x, (1, w.shape[1], w.shape[2], w.shape[3]))
        y = y.reshape(y.shape[:4] + (-1,))
        result = y.dot(w.reshape((nf, -1)).T)
        result = np.squeeze(result)
        return result.transpose(0, 3, 1, 2)

    def forward(self, x):
        return self.conv(x, self.W) + self.b

    def backprop(self, x, dLdy):
        fw = self.W.shape[2]
        fh = self.W.shape[3]
        dy = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)), 'constant')
        w = np.flip(np.flip(self.W, 2), 3).transpose(1, 0, 2, 3)
        dLdx = self.conv(dy, w)
        dLdW = self.conv(x.transpose(1, 0, 2, 3), dLdy.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)
        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(1, -1, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        p = self.pool_size
        y = view_as_windows(x, (1, 1, p, p), step=(1, 1, self.stride, self.stride))
        y = np.squeeze(y)
        return y.max(axis=(4, 5))

    def backprop(self, x, dLdy):
        p = self.pool_size
        s = self.stride
        dLdx = np.zeros(x.shape)
        for b in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        cut = x[b, c, i * s:i * s + p, j * s:j * s + p]
                        m = np.argmax(cut)
                        dLdx[b, c, i * s + m // p, j * s + m % p] += dLdy[b, c, i, j]
        return dLdx
