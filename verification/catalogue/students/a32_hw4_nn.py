import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.filter_w = filter_width
        self.filter_h = filter_height

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        return self.convolution(x, self.W) + self.b

    def convolution(self, x, filt):
        N, C, _, _ = x.shape
        F, _, w, h = filt.shape
        windows = view_as_windows(x, (1, C, w, h)).squeeze(axis=(1, 4))    # N,ow,oh,C,w,h
        out = np.zeros((N, F) + windows.shape[1:3])
        for k in range(F):
            out[:, k] = np.sum(windows * filt[k], axis=(3, 4, 5))
        return out

    def backprop(self, x, dLdy):
        # rows are padded by the height, columns by the width of the filter
        p_row = self.filter_h - 1
        p_col = self.filter_w - 1
        padded = np.pad(dLdy, ((0, 0), (0, 0), (p_row, p_row), (p_col, p_col)), 'constant')
        flipped = np.flip(self.W, axis=(2, 3)).swapaxes(0, 1)
        dLdx = self.convolution(padded, flipped)
        dLdW = self.convolution(x.swapaxes(0, 1), dLdy.swapaxes(0, 1)).swapaxes(0, 1)
        dLdb = np.expand_dims(dLdy.sum(axis=(0, 2, 3)), axis=(0, 2, 3))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        w = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        w = w.squeeze(axis=(4, 5))
        return w.max(axis=(4, 5))

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        k = self.pool_size
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                r = i * self.stride
                c = j * self.stride
                box = x[:, :, r:r + k, c:c + k]
                winner = box.reshape(box.shape[0], box.shape[1], k * k).argmax(axis=2)
                for n in range(x.shape[0]):
                    for ch in range(x.shape[1]):
                        q = winner[n, ch]
                        dLdx[n, ch, r + q // k, c + q % k] += dLdy[n, ch, i, j]
        return dLdx
