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

    def conv(self, x, w):
        y = view_as_windows(x, (1, w.shape[1], w.shape[2], w.shape[3]))
        y = y.reshape((y.shape[0], y.shape[2], y.shape[3], -1))
        return y.dot(w.reshape((w.shape[0], -1)).T).transpose((0, 3, 1, 2))

    def forward(self, x):
        out = self.conv(x, self.W)
        for k in range(out.shape[1]):
            out[:, k] += self.b[0, k, 0, 0]
        return out

    def backprop(self, x, dLdy):
        padding = [(0, 0), (0, 0)] + [(s - 1, s - 1) for s in self.W.shape[2:]]
        # turn the filter around
        W_rot = np.rot90(self.W, axes=(2, 3))
        dLdx = self.conv(np.pad(dLdy, padding), W_rot.transpose((1, 0, 2, 3)))

        dLdW = []
        for f in range(self.W.shape[0]):
            d = dLdy[:, f:f + 1].transpose((1, 0, 2, 3))              # 1, batch, ow, oh
            dLdW.append(self.conv(x.transpose((1, 0, 2, 3)), d)[:, 0])  # ch, fw, fh
        dLdW = np.array(dLdW)

        dLdb = dLdy.sum((0, 2, 3)).reshape((1, -1, 1, 1))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        y = y.reshape((y.shape[0], y.shape[1], y.shape[2], y.shape[3], -1))
        return np.max(y, axis=-1)

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        y = y.reshape((y.shape[0], y.shape[1], y.shape[2], y.shape[3], -1))
        index = np.argmax(y, axis=-1)
        # TODO index -> position in x
