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
        num_filters, in_ch, fw, fh = self.W.shape
        bs, _, w, h = x.shape
        out = np.zeros((bs, num_filters, w - fw + 1, h - fh + 1))
        win = view_as_windows(x, (1, in_ch, fw, fh)).reshape(bs, w - fw + 1, h - fh + 1, -1)
        for k in range(num_filters):
            out[:, k] = win.dot(self.W[k].reshape(-1, 1))[..., 0] + self.b[0, k, 0, 0]
        return out

    def backprop(self, x, dLdy):
        num_filters, in_ch, fw, fh = self.W.shape
        bs, ch, w, h = x.shape
        ow, oh = dLdy.shape[2], dLdy.shape[3]

        ## dLdx
        pad = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)), 'constant')
        win = view_as_windows(pad, (1, num_filters, fw, fh)).reshape(bs, w, h, -1)
        dLdx = np.zeros(x.shape)
        for k in range(ch):
            rot = self.W[:, k, ::-1, ::-1]
            dLdx[:, k] = win.dot(rot.reshape(-1, 1))[..., 0]

        ## dLdb
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(1, num_filters, 1, 1)

        ## dLdW
        dLdW = np.zeros((x.shape[0], in_ch, fw, fh))
        for k in range(dLdW.shape[0]):
            for c in range(in_ch):
                win = view_as_windows(x[:, c], (bs, ow, oh)).reshape(fw, fh, -1)
                dLdW[k, c] = win.dot(dLdy[:, k].reshape(-1))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        p, s = self.pool_size, self.stride
        bs, ch, w, h = x.shape
        win = view_as_windows(x, (bs, ch, p, p), step=s if bs == 1 and ch == 1 else (bs, ch, s, s))
        return win[0, 0].max(axis=(-1, -2)).transpose(2, 3, 0, 1)

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros(x.shape)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                blk = x[:, :, i * s:i * s + p, j * s:j * s + p]
                flat = blk.reshape(blk.shape[0], blk.shape[1], p * p)
                onehot = np.eye(p * p)[flat.argmax(axis=2)].reshape(blk.shape)
                dLdx[:, :, i * s:i * s + p, j * s:j * s + p] += onehot * dLdy[:, :, i, j][:, :, None, None]
        return dLdx
