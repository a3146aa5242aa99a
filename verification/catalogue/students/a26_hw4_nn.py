import numpy as np
from skimage.util.shape import view_as_windows


def im2col(x, fw, fh):
    """(N, C, w, h) -> (N*ow*oh, C*fw*fh)"""
    C = x.shape[1]
    return view_as_windows(x, (1, C, fw, fh)).reshape(-1, C * fw * fh)


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.fw, self.fh, self.C, self.F = filter_width, filter_height, in_ch_size, num_filters

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        N = x.shape[0]
        ow, oh = x.shape[2] - self.fw + 1, x.shape[3] - self.fh + 1
        y = self.W.reshape(self.F, -1) @ im2col(x, self.fw, self.fh).T          # F, N*ow*oh
        return y.reshape(self.F, N, ow, oh).swapaxes(0, 1) + self.b

    def backprop(self, x, dLdy):
        N, _, ow, oh = dLdy.shape

        # --- W
        d = dLdy[:, :, ::-1, ::-1].swapaxes(0, 1).reshape(self.F, -1)
        dLdW = (d @ im2col(x, self.fw, self.fh)).reshape(self.W.shape)

        # --- b
        dLdb = dLdy.sum(axis=(0, 2, 3), keepdims=True)

        # --- x
        d = dLdy.reshape(self.F, -1)
        dcol = d.T @ self.W.reshape(self.F, -1)
        dcol = dcol.reshape(N, ow, oh, self.C, self.fw, self.fh)
        dLdx = np.zeros(x.shape)
        for p in range(self.fw):
            for q in range(self.fh):
                dLdx[:, :, p:p + ow, q:q + oh] += dcol[..., p, q].transpose(0, 3, 1, 2)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        p, s = self.pool_size, self.stride
        return view_as_windows(x, (1, 1, p, p), step=(1, 1, s, s)).max(axis=(4, 5, 6, 7))

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros_like(x)
        N, C, ow, oh = dLdy.shape
        for i in range(ow):
            for j in range(oh):
                w = x[:, :, i * s:i * s + p, j * s:j * s + p].reshape(N * C, -1)
                k = w.argmax(axis=1)
                for t in range(N * C):
                    n, c = divmod(t, C)
                    r, q = divmod(k[t], p)
                    dLdx[n, c, i * s + r, j * s + q] += dLdy[n, c, i, j]
        return dLdx
