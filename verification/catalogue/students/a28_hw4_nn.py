import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size

        self.cache = None

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        nf, ch, fw, fh = self.W.shape
        win = view_as_windows(x, (1, ch, fw, fh))
        ow, oh = win.shape[2], win.shape[3]
        win = win.reshape(x.shape[0], ow * oh, -1)
        self.cache = win                     # needed again for dLdW

        y = np.zeros((8, nf, ow, oh))        # 배치 크기 = 8
        for n in range(8):
            y[n] = (win[n] @ self.W.reshape(nf, -1).T).T.reshape(nf, ow, oh)
        y = y + self.b
        return y

    def backprop(self, x, dLdy):
        nf, ch, fw, fh = self.W.shape
        N, _, ow, oh = dLdy.shape
        d = dLdy.reshape(N, nf, -1)

        dLdb = d.sum(axis=2).sum(axis=0).reshape(self.b.shape)

        dLdW = np.zeros((nf, ch * fw * fh))
        for n in range(N):
            dLdW += d[n] @ self.cache[n]
        dLdW = dLdW.reshape(self.W.shape)

        dLdx = np.zeros(x.shape)
        for n in range(N):
            for f in range(nf):
                for i in range(ow):
                    for j in range(oh):
                        dLdx[n, :, i:i + fw, j:j + fh] += dLdy[n, f, i, j] * self.W[f]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        win = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return win.reshape(*win.shape[:4], -1).max(axis=-1)

    def backprop(self, x, dLdy):
        win = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        win = win.reshape(*win.shape[:4], -1)
        first = win.argmax(axis=-1)
        dLdx = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(*first.shape):
            a, b = divmod(first[n, c, i, j], self.pool_size)
            dLdx[n, c, i * self.stride + a, j * self.stride + b] += dLdy[n, c, i, j]
        return dLdx
