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
        batch_size, in_ch, in_width, in_height = x.shape
        num_filters, _, filt_width, filt_height = self.W.shape
        # as in the example of the pdf
        y = view_as_windows(x, (1, in_ch, filt_width, filt_height))
        y = y.reshape((batch_size, 1, in_width - filt_width + 1, in_height - filt_height + 1, -1))
        result = []
        for k in range(num_filters):
            r = y.dot(self.W[k].reshape((-1, 1)))        # (batch,1,ow,oh,1)
            result.append(r + self.b[0, k, 0, 0])
        result = np.concatenate(result, axis=1)
        return np.squeeze(result)

    def backprop(self, x, dLdy):
        batch_size, in_ch, in_width, in_height = x.shape
        num_filters, _, filt_width, filt_height = self.W.shape
        out_width, out_height = dLdy.shape[2], dLdy.shape[3]

        dLdb = np.zeros(self.b.shape)
        dLdW = np.zeros(self.W.shape)
        dLdx = np.zeros(x.shape)

        padded = np.pad(dLdy, ((0, 0), (0, 0), (filt_width - 1, filt_width - 1), (filt_height - 1, filt_height - 1)), 'constant')

        for k in range(num_filters):
            dLdb[0, k, 0, 0] = np.sum(dLdy[:, k])
            for c in range(in_ch):
                win = view_as_windows(x[:, c], (batch_size, out_width, out_height))
                win = win.reshape((filt_width, filt_height, -1))
                dLdW[k, c] = np.squeeze(win.dot(dLdy[:, k].reshape((-1, 1))), axis=2)

                win = view_as_windows(padded[:, k], (1, filt_width, filt_height))
                win = win.reshape((batch_size, in_width, in_height, -1))
                turned = self.W[k, c][::-1, ::-1]
                dLdx[:, c] += np.squeeze(win.dot(turned.reshape((-1, 1))), axis=3)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return np.max(y, axis=(4, 5, 6, 7))

    def backprop(self, x, dLdy):
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        dLdx = np.zeros(x.shape)
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                window = y[:, :, i, j, 0, 0]
                biggest = window.max(axis=(2, 3), keepdims=True)
                hits = (window == biggest) * 1.0
                hits = hits / hits.sum(axis=(2, 3), keepdims=True)
                dLdx[:, :, i * self.stride:i * self.stride + self.pool_size, j * self.stride:j * self.stride + self.pool_size] += hits * dLdy[:, :, i:i + 1, j:j + 1]
        return dLdx
