import numpy as np


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
        num, _, w, h = x.shape
        nf, ch, fw, fh = self.W.shape
        y = np.zeros((num, nf, w - fw + 1, h - fh + 1))
        for f in range(nf):
            for i in range(fw):
                for j in range(fh):
                    piece = x[:, :, i:w - fw + 1 + i, j:h - fh + 1 + j]
                    y[:, f] += np.sum(piece * self.W[f, :, i, j].reshape(1, ch, 1, 1), axis=1)
            y[:, f] += self.b[0, f, 0, 0]
        return y

    def backprop(self, x, dLdy):
        nf, ch, fw, fh = self.W.shape
        ow, oh = dLdy.shape[2:]
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        for f in range(nf):
            up = dLdy[:, f:f + 1]       # keep the axis, broadcasts over channels
            for i in range(fw):
                for j in range(fh):
                    dLdx[:, :, i:i + ow, j:j + oh] += up * self.W[f, :, i, j].reshape(1, ch, 1, 1)
                    dLdW[f, :, i, j] = np.sum(up * x[:, :, i:i + ow, j:j + oh], axis=(0, 2, 3))
            dLdb[0, f, 0, 0] = np.sum(up)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def pieces(self, shape):
        """slices that pick entry (i, j) of every window at once"""
        s, k = self.stride, self.pool_size
        ow = (shape[2] - k) // s + 1
        oh = (shape[3] - k) // s + 1
        for i in range(k):
            for j in range(k):
                yield (slice(None), slice(None),
                       slice(i, i + (ow - 1) * s + 1, s), slice(j, j + (oh - 1) * s + 1, s))

    def forward(self, x):
        y = None
        for piece in self.pieces(x.shape):
            y = x[piece].copy() if y is None else np.maximum(y, x[piece])
        return y

    def backprop(self, x, dLdy):
        y = self.forward(x)
        dLdx = np.zeros(x.shape)
        taken = np.zeros(y.shape, dtype=bool)   # a tie goes to the first one only
        for piece in self.pieces(x.shape):
            hit = (x[piece] == y) & ~taken
            dLdx[piece] += hit * dLdy
            taken |= hit
        return dLdx


if __name__ == '__main__':
    mpl = nn_max_pooling_layer(stride=1, pool_size=3)
    x = np.random.permutation(2 * 2 * 6 * 6).reshape(2, 2, 6, 6).astype(float)
    dt = 1e-3
    delta = np.random.normal(0, 1, x.shape) * dt
    y1 = mpl.forward(x)
    dLdy = np.random.normal(0, 10, y1.shape)
    print(np.sum(dLdy * (mpl.forward(x + delta) - y1)) / dt, np.sum(delta * mpl.backprop(x, dLdy)) / dt)
