import numpy as np
from skimage.util.shape import view_as_windows as vw


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

    def forward(self, x):
        batch_size = x.shape[0]
        num_filters, ch, fw, fh = self.W.shape
        y = np.zeros((batch_size, num_filters, x.shape[2] - fw + 1, x.shape[3] - fh + 1))
        for n in range(batch_size):
            win = vw(x[n], (ch, fw, fh))[0]
            for f in range(num_filters):
                y[n, f] = np.sum(win * self.W[f], axis=(2, 3, 4)) + self.b[0, f, 0, 0]
        return y

    def backprop(self, x, dLdy):
        batch_size, ch = x.shape[0], x.shape[1]
        num_filters, ch, fw, fh = self.W.shape

        # dLdW : every filter sees x through a window as large as dLdy
        dLdW = np.zeros(self.W.shape)
        for n in range(batch_size):
            for f in range(num_filters):
                for c in range(ch):
                    dLdW[f, c] += np.sum(vw(x[n, c], dLdy[n, f].shape) * dLdy[n, f], axis=(2, 3))

        # dLdx : zero padding and reversed filter
        self.W = self.W[:, :, ::-1, ::-1]
        pad = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)), 'constant')
        dLdx = np.zeros(x.shape)
        for n in range(batch_size):
            for f in range(num_filters):
                for c in range(ch):
                    dLdx[n, c] += np.sum(vw(pad[n, f], (fw, fh)) * self.W[f, c], axis=(2, 3))

        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(1, batch_size, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, w, h = x.shape
        k, s = self.pool_size, self.stride
        y = np.zeros((N, C, w // k, h // k))
        for i in range(w // k):
            for j in range(h // k):
                y[:, :, i, j] = np.max(x[:, :, i * s:i * s + k, j * s:j * s + k], axis=(2, 3))
        return y

    def backprop(self, x, dLdy):
        N, C, ow, oh = dLdy.shape
        k, s = self.pool_size, self.stride
        # positions of the maxima first
        where = np.zeros((N, C, ow, oh), dtype=int)
        for i in range(ow):
            for j in range(oh):
                where[:, :, i, j] = x[:, :, i * s:i * s + k, j * s:j * s + k].reshape(N, C, -1).argmax(axis=2)
        # array like x, but float and all zero
        dLdx = np.asarray(x, dtype=np.float64)
        dLdx[:] = 0
        for n in range(N):
            for c in range(C):
                for i in range(ow):
                    for j in range(oh):
                        a, b = divmod(where[n, c, i, j], k)
                        dLdx[n, c, i * s + a, j * s + b] += dLdy[n, c, i, j]
        return dLdx


# batch_size and num_filters are both 8 here as in the handout
batch_size = 8
num_filters = 8
cnv = nn_convolutional_layer(3, 3, 9, 3, num_filters)
x = np.random.normal(0, 1, (batch_size, 3, 9, 9))
dLdy = np.random.normal(0, 1, (batch_size, num_filters, 7, 7))
y1 = cnv.forward(x)
dLdx, dLdW, dLdb = cnv.backprop(x, dLdy)
print(y1.shape, dLdx.shape, dLdW.shape, dLdb.shape)
