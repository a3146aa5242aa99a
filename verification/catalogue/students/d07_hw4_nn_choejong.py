import numpy as np
from scipy import signal
from skimage.util.shape import view_as_windows


# 2차원 cross-correlation : convolve2d 는 필터를 뒤집으므로 미리 뒤집어 준다
def corr2(img, filt):
    return signal.convolve2d(img, filt[::-1, ::-1], 'valid')


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
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

    # Q1
    def forward(self, x):
        N, C, w, h = x.shape
        F, C, fw, fh = self.W.shape
        out = np.zeros((N, F, w - fw + 1, h - fh + 1))
        for n in range(N):
            for f in range(F):
                for c in range(C):
                    out[n, f] += corr2(x[n, c], self.W[f, c])
        return out + self.b

    # Q2
    def backprop(self, x, dLdy):
        N, C, w, h = x.shape
        F = self.W.shape[0]
        W_rot = np.rot90(self.W, 2, axes=(2, 3))    # 180도 회전
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        for n in range(N):
            for f in range(F):
                for c in range(C):
                    dLdx[n, c] += signal.convolve2d(dLdy[n, f], W_rot[f, c], 'full')
                    dLdW[f, c] += corr2(x[n, c], dLdy[n, f])
        dLdb = np.sum(dLdy, axis=(0, 2, 3))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    # Q3
    def forward(self, x):
        k, s = self.pool_size, self.stride
        win = view_as_windows(x, (1, 1, k, k), step=(1, 1, s, s))
        return win.max(axis=(4, 5, 6, 7))

    # Q4
    def backprop(self, x, dLdy):
        y = self.forward(x)
        y_up = y.repeat(2, axis=2).repeat(2, axis=3)
        mask = (x == y_up)      # 최대값 위치만 1
        dLdx = mask * dLdy.repeat(2, axis=2).repeat(2, axis=3)
        return dLdx


x = np.arange(2 * 3 * 8 * 8).reshape(2, 3, 8, 8) + 1.0
mpl = nn_max_pooling_layer(stride=2, pool_size=2)
print(mpl.backprop(x, np.ones((2, 3, 4, 4))).sum(), '== 96')
