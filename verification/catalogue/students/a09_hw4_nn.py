import numpy as np
from skimage.util.shape import view_as_windows


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

    def conv(self, a, k):
        """a (N, C, A, B) with k (M, C, p, q), valid"""
        k_flat = k.reshape(k.shape[0], -1)
        view = view_as_windows(a, (1,) + k.shape[1:])
        view = view.reshape(a.shape[0], a.shape[2] - k.shape[2] + 1, a.shape[3] - k.shape[3] + 1, k_flat.shape[1])
        return np.rollaxis(np.dot(view, k_flat.T), 3, 1)

    def forward(self, x):
        return self.conv(x, self.W) + self.b

    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2:]
        dLdb = dLdy.sum((0, 2, 3), keepdims=True)
        dLdW = self.conv(x.swapaxes(0, 1), dLdy.swapaxes(0, 1)).swapaxes(0, 1)
        z = np.zeros((dLdy.shape[0], dLdy.shape[1], x.shape[2] + fw - 1, x.shape[3] + fh - 1))
        z[:, :, fw - 1:fw - 1 + dLdy.shape[2], fh - 1:fh - 1 + dLdy.shape[3]] = dLdy
        dLdx = self.conv(z, self.W[:, :, ::-1, ::-1].swapaxes(0, 1))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size
        self.max_idx = None
        self.x_shape = None

    def forward(self, x):
        N, C, w, h = x.shape
        p, s = self.pool_size, self.stride
        view = view_as_windows(x, (1, 1, p, p), step=(1, 1, s, s))
        ow, oh = view.shape[2], view.shape[3]
        view = view.reshape(N, C, ow, oh, p * p)
        self.max_idx = view.argmax(axis=4)
        self.x_shape = x.shape
        return view.max(axis=4)

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        N, C, ow, oh = self.max_idx.shape
        dLdx = np.zeros(self.x_shape)
        for i in range(ow):
            for j in range(oh):
                k = self.max_idx[:, :, i, j]
                for t in range(p * p):
                    # put the gradient only where element t was the largest one
                    dLdx[:, :, i * s + t // p, j * s + t % p] += np.where(k == t, dLdy[:, :, i, j], 0)
        return dLdx
