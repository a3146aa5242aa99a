import numpy as np
from numpy.lib.stride_tricks import as_strided

DEBUG = False

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.fw = filter_width
        self.fh = filter_height

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def unfold(self, A):
        # (batch, ch, w, h) -> (batch, w', h', ch, fw, fh), no copy
        B, C, w, h = A.shape
        e = A.itemsize
        new_shape = (B, w - self.fw + 1, h - self.fh + 1, C, self.fw, self.fh)
        new_strides = (C * w * h * e, h * e, e, w * h * e, h * e, e)
        return as_strided(A, new_shape, new_strides)

    def forward(self, x):
        u = self.unfold(x)
        if DEBUG:
            print(u.shape)
        out = np.einsum('bijckl,fckl->bfij', u, self.W)
        return out + self.b

    def backprop(self, x, dLdy):
        u = self.unfold(x)
        dLdW = np.einsum('bijckl,bfij->fckl', u, dLdy)

        pw, ph = self.fw - 1, self.fh - 1
        d = self.unfold(np.pad(dLdy, [(0, 0), (0, 0), (pw, pw), (ph, ph)]))
        dLdx = np.einsum('bijfkl,fckl->bcij', d, self.W[..., ::-1, ::-1])

        # average over the mini batch
        dLdb = dLdy.sum(axis=(2, 3)).mean(axis=0).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s, k = self.stride, self.pool_size
        B, C, w, h = x.shape
        ow, oh = int((w - k) / s) + 1, int((h - k) / s) + 1
        stack = [x[:, :, a:a + s * (ow - 1) + 1:s, b:b + s * (oh - 1) + 1:s] for a in range(k) for b in range(k)]
        return np.max(np.stack(stack), axis=0)

    def backprop(self, x, dLdy):
        s, k = self.stride, self.pool_size
        B, C, ow, oh = dLdy.shape
        dLdx = np.zeros(x.shape)
        bi, ci = np.ogrid[:B, :C]
        for i in range(ow):
            for j in range(oh):
                win = x[:, :, i*s:i*s + k, j*s:j*s + k].reshape(B, C, -1)
                m = win.argmax(axis=2)
                dLdx[bi, ci, i*s + m // k, j*s + m % k] = dLdy[:, :, i, j]
        return dLdx


num_test = 2
accs = []
for i in range(num_test):
    dt = 1e-3
    cnv = nn_convolutional_layer(filter_width=3, filter_height=3, input_size=32, in_ch_size=3, num_filters=8, std=1)
    x = np.random.normal(0, 1, (8, 3, 32, 32))
    delta = np.random.normal(0, 1, x.shape) * dt
    y = cnv.forward(x)
    ones = np.ones(y.shape)
    dx, dW, db = cnv.backprop(x, ones)
    a1 = np.sum(delta * dx) / np.sum(cnv.forward(x + delta) - y)
    step = np.random.normal(0, 1, dW.shape) * dt
    cnv.update_weights(step, 0)
    a2 = np.sum(step * dW) / np.sum(cnv.forward(x) - y)
    y = cnv.forward(x)
    stepb = np.random.normal(0, 1, db.shape) * dt
    cnv.update_weights(0, stepb)
    a3 = np.sum(stepb * db) / np.sum(cnv.forward(x) - y)   # TODO 12.5% ???
    mpl = nn_max_pooling_layer(2, 2)
    x = 1. + np.arange(x.size).reshape(x.shape)
    y = mpl.forward(x)
    g = np.random.normal(0, 10, y.shape)
    a4 = np.sum(delta * mpl.backprop(x, g)) / np.sum(g * (mpl.forward(x + delta) - y))
    accs.append([100 - abs(a - 1) * 100 for a in (a1, a2, a3, a4)])
print('accuracy (dLdx, dLdW, dLdb, pool)', np.mean(accs, axis=0))
