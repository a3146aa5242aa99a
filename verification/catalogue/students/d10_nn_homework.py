import numpy as np
from skimage.util.shape import view_as_windows


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

    def convolution(self, x, W):
        v = view_as_windows(x, (1,) + W.shape[1:])
        v = v[:, 0, :, :, 0]
        return np.tensordot(v, W, axes=((3, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)

    def forward(self, x):
        return self.convolution(x, self.W) + self.b

    def backprop(self, x, dLdy):
        # full convolution: pad upstream gradient with (filter size - 1) zeros
        pad_w = filter_width - 1
        pad_h = filter_height - 1
        dLdy_pad = np.pad(dLdy, ((0, 0), (0, 0), (pad_w, pad_w), (pad_h, pad_h)), 'constant')
        W_T = self.W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        dLdx = self.convolution(dLdy_pad, W_T)

        dLdW = self.convolution(x.transpose(1, 0, 2, 3), dLdy.transpose(1, 0, 2, 3))
        dLdW = dLdW.transpose(1, 0, 2, 3)
        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.s = stride
        self.p = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.p, self.p), step=(1, 1, self.s, self.s))
        return v.max(axis=(-1, -2)).max(axis=(-1, -2))

    def backprop(self, x, dLdy):
        dLdx = np.zeros_like(x)
        v = view_as_windows(x, (1, 1, self.p, self.p), step=(1, 1, self.s, self.s))
        v = v.reshape(dLdy.shape + (-1,))
        index = v.argmax(axis=-1)
        for n, c, i, j in np.ndindex(dLdy.shape):
            a, b = np.unravel_index(index[n, c, i, j], (pool_size, pool_size))
            dLdx[n, c, i * self.s + a, j * self.s + b] += dLdy[n, c, i, j]
        return dLdx


## TEST ##
batch_size = 8
input_size = 16
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8
std = 1e0
dt = 1e-3
stride = 2
pool_size = 2

cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, std)
x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
delta = np.random.normal(0, 1, x.shape) * dt
dLdx, dLdW, dLdb = cnv.backprop(x, np.ones((batch_size, num_filters, 14, 14)))
print('exact change', np.sum(cnv.forward(x + delta) - cnv.forward(x)) / dt)
print('apprx change', np.sum(delta * dLdx) / dt)
