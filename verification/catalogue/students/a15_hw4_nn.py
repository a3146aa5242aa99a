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

    def forward(self, x):
        w = self.W
        v = view_as_windows(x, (1, w.shape[1], w.shape[2], w.shape[3]))
        v = v.reshape(v.shape[0], v.shape[2], v.shape[3], -1)
        out = np.matmul(v, w.reshape(w.shape[0], -1).T)
        return out.transpose((0, 3, 1, 2)) + self.b

    def backprop(self, x, dLdy):
        w = self.W
        n = x.shape[0]
        pw, ph = w.shape[2] - 1, w.shape[3] - 1

        # gradient for x, one position of the filter after another
        dLdx = np.zeros(x.shape)
        g = dLdy.transpose(0, 2, 3, 1)                      # n, ow, oh, f
        for i in range(pw + 1):
            for j in range(ph + 1):
                dLdx[:, :, i:x.shape[2] - pw + i, j:x.shape[3] - ph + j] += np.matmul(g, w[:, :, i, j]).transpose(0, 3, 1, 2)

        # gradient for w
        v = view_as_windows(x, (1, w.shape[1], w.shape[2], w.shape[3]))
        v = v.reshape(-1, w[0].size)                        # n*ow*oh, c*fw*fh
        dLdW = np.matmul(g.reshape(-1, w.shape[0]).T, v).reshape(w.shape)

        # gradient for b, averaged over the minibatch
        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(self.b.shape) / n
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return np.amax(v, axis=(4, 5, 6, 7))

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        # window view INTO dLdx: writing to v writes to dLdx
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        g = view_as_windows(dLdx, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        for n, c, i, j in np.ndindex(dLdy.shape):
            w = v[n, c, i, j, 0, 0]
            a, b = np.unravel_index(w.argmax(), w.shape)
            g[n, c, i, j, 0, 0, a, b] += dLdy[n, c, i, j]
        return dLdx
