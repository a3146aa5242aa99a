import numpy as np
from numpy.lib.stride_tricks import as_strided
import time   # was for timing

def strided_patches(a, k1, k2, step=1):
    n, c, s1, s2 = a.shape
    o1 = 1 + (s1 - k1) // step
    o2 = 1 + (s2 - k2) // step
    t = a.strides
    return as_strided(a, shape=(n, c, o1, o2, k1, k2),
                      strides=(t[0], t[1], t[2] * step, t[3] * step, t[2], t[3]), writeable=False)


class nn_convolutional_layer:

    def __init__(self, Wx_size, Wy_size, input_size, in_ch_size, out_ch_size, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * Wx_size * Wy_size / 2),
                                  (out_ch_size, in_ch_size, Wx_size, Wy_size))
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
        P = strided_patches(x, *self.W.shape[2:])
        return np.einsum('ncpqij,fcij->nfpq', P, self.W, optimize=True) + self.b

    def backprop(self, x, dLdy):
        kx, ky = self.W.shape[2], self.W.shape[3]
        big = np.zeros((dLdy.shape[0], dLdy.shape[1], x.shape[2] + kx - 1, x.shape[3] + ky - 1))
        big[:, :, kx - 1:kx - 1 + dLdy.shape[2], ky - 1:ky - 1 + dLdy.shape[3]] = dLdy
        D = strided_patches(big, kx, ky)
        dLdx = np.einsum('nfpqij,fcij->ncpq', D, np.flip(self.W, (2, 3)), optimize=True)
        dLdW = np.einsum('ncpqij,nfpq->fcij', strided_patches(x, kx, ky), dLdy, optimize=True)
        dLdb = np.einsum('nfpq->f', dLdy)[None, :, None, None]
        # print(dLdx.shape, dLdW.shape, dLdb.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        return strided_patches(x, self.pool_size, self.pool_size, self.stride).max(axis=-1).max(axis=-1)

    def backprop(self, x, dLdy):
        k, st = self.pool_size, self.stride
        P = strided_patches(x, k, k, st)
        best = P.reshape(P.shape[:4] + (k * k,)).argmax(-1)
        o1, o2 = best.shape[2:]
        dLdx = np.zeros(x.shape)
        for t in range(k * k):
            u, v = divmod(t, k)
            dLdx[:, :, u:u + (o1 - 1) * st + 1:st, v:v + (o2 - 1) * st + 1:st] += np.where(best == t, dLdy, 0)
        return dLdx


## accuracy test ##
num_test = 2
for i in range(num_test):
    cnv = nn_convolutional_layer(3, 3, 32, 3, 8, 1)
    x = np.random.randn(8, 3, 32, 32)
    delta = np.random.randn(8, 3, 32, 32)
    dt = 1e-3
    y1 = cnv.forward(x)
    y2 = cnv.forward(x + dt * delta)
    bp, _, _ = cnv.backprop(x, np.ones(y1.shape))
    exact_dx, apprx_dx = np.sum(y2 - y1) / dt, np.sum(delta * bp)
    print('dLdx test', exact_dx, apprx_dx, 100 - abs(1 - apprx_dx / exact_dx) * 100, '%')

    _, bpw, _ = cnv.backprop(x, np.ones(y1.shape))
    dW = np.random.randn(8, 3, 3, 3)
    cnv.update_weights(dW * dt, 0)
    exact_dW, apprx_dW = np.sum(cnv.forward(x) - y1) / dt, np.sum(dW * bpw)
    print('dLdW test', exact_dW, apprx_dW, 100 - abs(1 - apprx_dW / exact_dW) * 100, '%')

    mpl = nn_max_pooling_layer(stride=2, pool_size=2)
    x = np.arange(8 * 3 * 32 * 32).reshape(8, 3, 32, 32) + 1
    y1 = mpl.forward(x)
    g = np.random.normal(0, 10, y1.shape)
    exact_dx, apprx_dx = np.sum(g * (mpl.forward(x + dt * delta) - y1)) / dt, np.sum(delta * mpl.backprop(x, g))
    print('dLdx test for pooling', exact_dx, apprx_dx, 100 - abs(1 - apprx_dx / exact_dx) * 100, '%')
