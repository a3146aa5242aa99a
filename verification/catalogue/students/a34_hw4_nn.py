import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.in_ch_size = in_ch_size
        self.num_filters = num_filters
        self.filter_width = filter_width
        self.filter_height = filter_height

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        res = np.einsum('bwhcij,fcij->bfwh',
                        view_as_windows(x, (1, self.in_ch_size, self.filter_width, self.filter_height))[:, 0, :, :, 0],
                        self.W)
        return res + self.b

    def backprop(self, x, dLdy):
        batch = len(x)
        in_size = x.shape[2]
        dLdb = np.sum(np.sum(dLdy, axis=0), axis=(1, 2)).reshape(1, self.num_filters, 1, 1)
        dLdW = np.zeros_like(self.W)
        dLdx = np.zeros((batch, self.in_ch_size, in_size, in_size))   # the images are squares
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                window = x[:, :, i:i + self.filter_width, j:j + self.filter_height]
                dLdW += np.tensordot(dLdy[:, :, i, j], window, axes=((0,), (0,)))
                dLdx[:, :, i:i + self.filter_width, j:j + self.filter_height] += np.tensordot(dLdy[:, :, i, j], self.W, axes=1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def tiles(self, x):
        b, c, w, h = x.shape
        p = self.pool_size
        # (b, c, w/p, h/p, p*p)
        return x.reshape(b, c, w // p, p, h // p, p).transpose(0, 1, 2, 4, 3, 5).reshape(b, c, w // p, h // p, p * p)

    def forward(self, x):
        return self.tiles(x).max(axis=4)

    def backprop(self, x, dLdy):
        p = self.pool_size
        t = self.tiles(x)
        b, c, w, h, _ = t.shape
        m = np.zeros(t.shape)
        np.put_along_axis(m, t.argmax(axis=4)[..., None], dLdy[..., None], axis=4)
        return m.reshape(b, c, w, h, p, p).transpose(0, 1, 2, 4, 3, 5).reshape(x.shape)
