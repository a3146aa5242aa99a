import numpy as np
from skimage.util.shape import view_as_windows
from itertools import product

class nn_convolutional_layer:

    def __init__(self, f_height, f_width, input_size, in_ch_size, out_ch_size, std=1e0):
        # Xavier init
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * f_height * f_width / 2),
                                  (out_ch_size, in_ch_size, f_height, f_width))
        self.b = 0.01 + np.zeros((1, out_ch_size, 1, 1))
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
        Co, Ci, fh, fw = self.W.shape
        win = view_as_windows(x, (1, Ci, fh, fw)).reshape(x.shape[0], -1, Ci * fh * fw)
        y = win @ self.W.reshape(Co, -1).T + self.b.reshape(-1)
        return y.swapaxes(1, 2).reshape(x.shape[0], Co, x.shape[2] - fh + 1, x.shape[3] - fw + 1)

    def backprop(self, x, dLdy):
        Co, Ci, fh, fw = self.W.shape
        B, _, oh, ow = dLdy.shape
        d = dLdy.reshape(B, Co, -1)
        win = view_as_windows(x, (1, Ci, fh, fw)).reshape(B, -1, Ci * fh * fw)
        dLdW = (d @ win).sum(axis=0).reshape(self.W.shape)
        dLdb = d.sum(axis=(0, 2)).reshape(self.b.shape)
        dwin = (d.swapaxes(1, 2) @ self.W.reshape(Co, -1)).reshape(B, oh, ow, Ci, fh, fw)
        dLdx = np.zeros_like(x, dtype=float)
        for i, j in product(range(oh), range(ow)):
            dLdx[:, :, i:i + fh, j:j + fw] += dwin[:, i, j]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        B, C, H, W = x.shape
        s, k = self.stride, self.pool_size
        oh, ow = 1 + (H - k) // s, 1 + (W - k) // s
        y = np.empty((B, C, oh, ow))
        for i, j in product(range(oh), range(ow)):
            y[:, :, i, j] = np.max(x[:, :, i*s:i*s+k, j*s:j*s+k], axis=(2, 3))
        return y

    def backprop(self, x, dLdy):
        B, C, oh, ow = dLdy.shape
        s, k = self.stride, self.pool_size
        dLdx = np.zeros_like(x, dtype=float)
        for n, c, i, j in product(range(B), range(C), range(oh), range(ow)):
            patch = x[n, c, i*s:i*s+k, j*s:j*s+k]
            r, t = np.unravel_index(np.argmax(patch, axis=None), patch.shape)
            dLdx[n, c, i*s + r, j*s + t] = dLdy[n, c, i, j]
        return dLdx
