import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


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
        F, C, fw, fh = self.W.shape
        out = np.zeros((x.shape[0], F, x.shape[2] - fw + 1, x.shape[3] - fh + 1), dtype=np.float32)  # saves memory
        windows = sliding_window_view(x, (fw, fh), axis=(2, 3))      # N C ow oh fw fh
        for f in range(F):
            out[:, f] = np.tensordot(windows, self.W[f], axes=([1, 4, 5], [0, 1, 2])) + self.b[0, f]
        return out

    def backprop(self, x, dLdy):
        F, C, fw, fh = self.W.shape
        N = len(x)
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape((1, F, 1, 1))

        windows = sliding_window_view(x, (fw, fh), axis=(2, 3))
        dLdW = np.tensordot(dLdy, windows, axes=([0, 2, 3], [0, 2, 3]))
        dLdW /= N           # average of the batch

        big = np.zeros((N, F, x.shape[2] + fw - 1, x.shape[3] + fh - 1))
        big[:, :, fw - 1:x.shape[2], fh - 1:x.shape[3]] = dLdy
        windows = sliding_window_view(big, (fw, fh), axis=(2, 3))
        dLdx = np.tensordot(windows, self.W[..., ::-1, ::-1], axes=([1, 4, 5], [0, 2, 3]))
        return dLdx.transpose(0, 3, 1, 2), dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        windows = sliding_window_view(x, (self.pool_size, self.pool_size), axis=(2, 3))
        return windows[:, :, ::self.stride, ::self.stride].max(axis=(4, 5))

    def backprop(self, x, dLdy):
        p = self.pool_size
        windows = sliding_window_view(x, (p, p), axis=(2, 3))[:, :, ::self.stride, ::self.stride]
        flat = windows.reshape(dLdy.shape + (p * p,))
        arg = np.expand_dims(flat.argmax(axis=-1), -1)
        grad = np.zeros(flat.shape)
        np.put_along_axis(grad, arg, dLdy[..., None], axis=-1)
        grad = grad.reshape(dLdy.shape + (p, p))
        dLdx = np.zeros(x.shape)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                dLdx[:, :, i * self.stride:i * self.stride + p, j * self.stride:j * self.stride + p] += grad[:, :, i, j]
        return dLdx
