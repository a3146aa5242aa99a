import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


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
        win = sliding_window_view(x, self.W.shape[2:], axis=(2, 3))
        return np.einsum('ncpqij,fcij->nfpq', win, self.W) + self.b

    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2:]
        padded = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)))
        dLdx = np.einsum('nfuvij,fcij->ncuv',
                         sliding_window_view(padded, (fw, fh), axis=(2, 3)),
                         self.W[:, :, ::-1, ::-1])
        dLdW = np.einsum('ncpqij,nfpq->fcij', sliding_window_view(x, (fw, fh), axis=(2, 3)), dLdy)
        dLdb = dLdy.sum(axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def _windows(self, x):
        k, s = self.pool_size, self.stride
        w = sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        return w.reshape(w.shape[:4] + (-1,))

    def forward(self, x):
        return self._windows(x).max(axis=-1)

    def backprop(self, x, dLdy):
        arg = self._windows(x).argmax(axis=-1)
        n, c, p, q = np.indices(arg.shape)
        row = p * self.stride + arg // self.pool_size
        col = q * self.stride + arg % self.pool_size
        dLdx = np.zeros(x.shape)
        np.add.at(dLdx, (n, c, row, col), dLdy)
        return dLdx


# accuracy test (shortened)
num_test = 3
batch_size, input_size, in_ch_size, filter_width, filter_height, num_filters = 8, 32, 3, 3, 3, 8
dt = 1e-3
acc = []
for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters)
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    delta = np.random.normal(0, 1, x.shape) * dt
    y1 = cnv.forward(x)
    exact = np.sum(cnv.forward(x + delta) - y1) / dt
    dLdx, dLdW, dLdb = cnv.backprop(x, np.ones(y1.shape))
    apprx = np.sum(delta * dLdx) / dt
    acc.append(abs((apprx - exact) / exact))
print('conv layer dLdx', 100 - np.mean(acc) * 100, '%')
