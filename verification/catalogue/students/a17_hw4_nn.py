import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.filter_width, self.filter_height = filter_width, filter_height
        self.in_ch_size, self.num_filters = in_ch_size, num_filters

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        n = x.shape[0]
        w_out = x.shape[2] - self.filter_width + 1
        h_out = x.shape[3] - self.filter_height + 1
        # (n, 1, 30, 30, 1, 3, 3, 3) -> (n, 30, 30, 27)
        y = view_as_windows(x, (1, self.in_ch_size, self.filter_width, self.filter_height))
        y = y.reshape((n, w_out, h_out, 27))
        result = y.dot(self.W.reshape(self.num_filters, 27).T)
        result = result.transpose(0, 3, 1, 2)
        return result + self.b

    def backprop(self, x, dLdy):
        n = x.shape[0]
        # dLdb
        dLdb = np.zeros(self.b.shape)
        for f in range(self.num_filters):
            dLdb[0, f] = dLdy[:, f, :, :].sum()

        # dLdW
        dLdW = np.zeros(self.W.shape)
        for f in range(self.num_filters):
            for c in range(self.in_ch_size):
                for i in range(self.filter_width):
                    for j in range(self.filter_height):
                        dLdW[f, c, i, j] = np.sum(x[:, c, i:i + dLdy.shape[2], j:j + dLdy.shape[3]] * dLdy[:, f])

        # dLdx
        dLdx = np.zeros(x.shape)
        pw = self.filter_width - 1
        ph = self.filter_height - 1
        pad = np.pad(dLdy, ((0, 0), (0, 0), (pw, pw), (ph, ph)), 'constant')
        W_inv = self.W[:, :, ::-1, ::-1]
        for c in range(self.in_ch_size):
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    dLdx[:, c, i, j] = np.sum(pad[:, :, i:i + self.filter_width, j:j + self.filter_height] * W_inv[:, c], axis=(1, 2, 3))

        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return y.reshape(y.shape[0], y.shape[1], y.shape[2], y.shape[3], -1).max(axis=4)

    def backprop(self, x, dLdy):
        # blow up the output and the gradient to the size of x
        y = self.forward(x)
        y_big = y.repeat(2, axis=2).repeat(2, axis=3)
        g_big = dLdy.repeat(2, axis=2).repeat(2, axis=3)
        mask = (x == y_big).astype(float)
        # how many maxima in each window
        n = mask[:, :, 0::2, 0::2] + mask[:, :, 1::2, 0::2] + mask[:, :, 0::2, 1::2] + mask[:, :, 1::2, 1::2]
        return mask * g_big / n.repeat(2, axis=2).repeat(2, axis=3)
