import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.size = (filter_width, filter_height)

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    # 4d convolution
    def conv(self, x, W):
        nf, ch, fw, fh = W.shape
        win = view_as_windows(x, (1, ch, fw, fh))[:, 0, :, :, 0, ...]
        return np.array([[np.sum(win[n] * W[f], axis=(2, 3, 4)) for f in range(nf)] for n in range(len(x))])

    def forward(self, x):
        return self.conv(x, self.W) + self.b

    def backprop(self, x, dLdy):
        a, b = self.size[0] - 1, self.size[1] - 1
        dLdy_padded = np.pad(dLdy, ((0, 0), (0, 0), (a, a), (b, b)), mode='constant')
        dLdx = self.conv(dLdy_padded, np.transpose(self.W[:, :, ::-1, ::-1], (1, 0, 2, 3)))
        dLdW = np.transpose(self.conv(np.transpose(x, (1, 0, 2, 3)), np.transpose(dLdy, (1, 0, 2, 3))), (1, 0, 2, 3))
        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdW, dLdx, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        win = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), (1, 1, self.stride, self.stride))
        return win.max(axis=(4, 5, 6, 7))

    def backprop(self, x, dLdy):
        dLdx = x
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        win = dLdx[n, c, i * self.stride:i * self.stride + self.pool_size, j * self.stride:j * self.stride + self.pool_size]
                        k = np.unravel_index(np.argmax(win), win.shape)
                        # everything except the maximum gets no gradient
                        win[:] = 0
                        win[k] = dLdy[n, c, i, j]
        return dLdx
