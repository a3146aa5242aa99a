import numpy as np
from skimage.util.shape import view_as_windows


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.filter_width = filter_width
        self.filter_height = filter_height
        self.input_size = input_size
        self.in_ch_size = in_ch_size
        self.num_filters = num_filters
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.windows = None
        self.out = None

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.batch = x.shape[0]
        self.out_w = x.shape[2] - self.filter_width + 1
        self.out_h = x.shape[3] - self.filter_height + 1
        self.windows = view_as_windows(x, (1, self.in_ch_size, self.filter_width, self.filter_height))
        # (batch, out_w, out_h, ch * fw * fh), backprop needs it again
        self.windows = self.windows.reshape(self.batch, self.out_w, self.out_h, -1)
        self.out = np.empty((self.batch, self.num_filters, self.out_w, self.out_h), dtype=x.dtype)
        for f in range(self.num_filters):
            self.out[:, f] = self.windows.dot(self.W[f].reshape(-1)) + self.b[0, f, 0, 0]
        return self.out

    def backprop(self, x, dLdy):
        self.dLdx = np.zeros(x.shape)
        for i in range(self.filter_width):
            for j in range(self.filter_height):
                part = np.tensordot(dLdy, self.W[:, :, i, j], axes=(1, 0)).transpose(0, 3, 1, 2)
                self.dLdx[:, :, i:i + dLdy.shape[2], j:j + dLdy.shape[3]] += part
        self.dLdW = np.tensordot(dLdy, self.windows, axes=([0, 2, 3], [0, 1, 2])).reshape(self.W.shape)
        # gradient of bias = average over the mini-batch
        self.dLdb = np.sum(dLdy, axis=(2, 3)).mean(axis=0).reshape(1, self.num_filters, 1, 1)
        return self.dLdx, self.dLdW, self.dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        self.win = view_as_windows(x, (1, 1, self.pool_size, self.pool_size),
                                   step=(1, 1, self.stride, self.stride))
        self.win = self.win.reshape(self.win.shape[:4] + (-1,))
        self.max_idx = np.argmax(self.win, axis=4)
        return np.max(self.win, axis=4)

    def backprop(self, x, dLdy):
        self.dLdx = np.zeros(x.shape)
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for p in range(dLdy.shape[2]):
                    for q in range(dLdy.shape[3]):
                        idx = self.max_idx[n, c, p, q]
                        r = p * self.stride + idx // self.pool_size
                        s = q * self.stride + idx % self.pool_size
                        self.dLdx[n, c, r, s] += dLdy[n, c, p, q]
        return self.dLdx


#######  accuracy test  #######
batch_size = 8
input_size = 12
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8
std = 1e0
dt = 1e-3
num_test = 2
err_dLdb = []
for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, std)
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    y1 = cnv.forward(x).copy()
    dLdx, dLdW, dLdb = cnv.backprop(x, np.ones(y1.shape))
    delta = np.random.normal(0, 1, dLdW.shape) * dt
    cnv.update_weights(delta, 0)
    print('dLdW test', np.sum(cnv.forward(x) - y1) / dt, np.sum(delta * dLdW) / dt)
