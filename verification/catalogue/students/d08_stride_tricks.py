import numpy as np
from numpy.lib.stride_tricks import as_strided


def im_windows(x, fw, fh):
    """all (fw, fh) windows of x without copying, (N, C, out_w, out_h, fw, fh)"""
    N, C, w, h = x.shape
    e = x.itemsize
    return as_strided(x,
                      shape=(N, C, w - fw + 1, h - fh + 1, fw, fh),
                      strides=(C * w * h * e, w * h * e, h * e, e, h * e, e))


class nn_convolutional_layer:

    def __init__(self, f_height, f_width, input_size, in_ch_size, out_ch_size, std=1e0):
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
        win = im_windows(x, self.W.shape[2], self.W.shape[3])
        out = np.tensordot(win, self.W, axes=([1, 4, 5], [1, 2, 3]))
        return out.transpose(0, 3, 1, 2) + self.b

    def backprop(self, x, dLdy):
        F, C, fw, fh = self.W.shape
        N, _, ow, oh = dLdy.shape
        win = im_windows(x, fw, fh)
        dLdW = np.tensordot(dLdy, win, axes=([0, 2, 3], [0, 2, 3]))
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(1, F, 1, 1)

        pad = np.zeros((N, F, ow + 2 * (fw - 1), oh + 2 * (fh - 1)))
        pad[:, :, fw - 1:fw - 1 + ow, fh - 1:fh - 1 + oh] = dLdy
        W_flip = np.flip(self.W, (2, 3))
        dLdx = np.tensordot(im_windows(pad, fw, fh), W_flip, axes=([1, 4, 5], [0, 2, 3]))
        dLdx = dLdx.transpose(0, 3, 1, 2)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, w, h = x.shape
        s, k, e = self.stride, self.pool_size, x.itemsize
        ow = (w - k) // s + 1
        oh = (h - k) // s + 1
        win = as_strided(x, shape=(N, C, ow, oh, k, k),
                         strides=(C * w * h * e, w * h * e, s * h * e, e, h * e, e))
        return win.max(axis=(4, 5))

    def backprop(self, x, dLdy):
        N, C, ow, oh = dLdy.shape
        s, k = self.stride, self.pool_size
        nn, cc = np.meshgrid(np.arange(N), np.arange(C), indexing='ij')
        dLdx = np.zeros(x.shape)
        for p in range(ow):
            for q in range(oh):
                block = x[:, :, p * s:p * s + k, q * s:q * s + k].reshape(N, C, k * k)
                m = block.argmax(axis=2)
                dLdx[nn, cc, p * s + m // k, q * s + m % k] += dLdy[:, :, p, q]
        return dLdx
