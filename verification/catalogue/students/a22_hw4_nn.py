import numpy as np
from skimage.util.shape import view_as_windows

##########
#   convolutional layer
#   you can add any functions or classes if necessary
##########

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
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
        fw, fh = self.W.shape[2], self.W.shape[3]
        ow, oh = x.shape[2] - fw + 1, x.shape[3] - fh + 1
        y = view_as_windows(x, (1, self.W.shape[1], fw, fh))
        y = y.reshape((batch_size, ow * oh, -1))
        w = self.W.reshape((self.W.shape[0], -1))
        out = np.zeros((batch_size, self.W.shape[0], ow, oh))
        for i in range(batch_size):
            out[i] = np.dot(w, y[i].T).reshape((self.W.shape[0], ow, oh))
        out += self.b
        return out

    def backprop(self, x, dLdy):
        nf, ch, fw, fh = self.W.shape

        # dLdx
        pad = np.pad(dLdy, ((0, 0), (0, 0), (filter_width - 1, filter_width - 1), (filter_height - 1, filter_height - 1)), 'constant')
        w_flip = np.flip(self.W, axis=(2, 3))
        y = view_as_windows(pad, (1, nf, fw, fh))
        y = y.reshape((y.shape[0], y.shape[2], y.shape[3], -1))
        dLdx = y.dot(w_flip.transpose(1, 0, 2, 3).reshape(ch, -1).T).transpose(0, 3, 1, 2)

        # dLdW
        dLdW = np.zeros(self.W.shape)
        y = view_as_windows(x, (1, 1, dLdy.shape[2], dLdy.shape[3]))
        for f in range(nf):
            for c in range(ch):
                dLdW[f, c] = np.sum(y[0, c, :, :, 0, 0] * dLdy[0, f], axis=(2, 3))

        # dLdb
        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        y = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return np.max(y, axis=(4, 5, 6, 7))

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for b in range(x.shape[0]):
            for c in range(x.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        window = x[b, c, i * self.stride:i * self.stride + pool_size, j * self.stride:j * self.stride + pool_size]
                        r, s = np.unravel_index(np.argmax(window), window.shape)
                        dLdx[b, c, i * self.stride + r, j * self.stride + s] += dLdy[b, c, i, j]
        return dLdx


# testing the implementation

# data sizes
batch_size = 8
input_size = 32
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8

std = 1e0
dt = 1e-3

# number of test loops
num_test = 2

# error dLdx
err_dLdx = 0
for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, std)
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    delta = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size)) * dt
    y1 = cnv.forward(x)
    y2 = cnv.forward(x + delta)
    bp, _, _ = cnv.backprop(x, np.ones(y1.shape))
    exact_dx = np.sum(y2 - y1) / dt
    apprx_dx = np.sum(delta * bp) / dt
    print('exact change', exact_dx)
    print('apprx change', apprx_dx)
    err_dLdx += abs((apprx_dx - exact_dx) / exact_dx) / num_test * 100

# pooling
stride = 2
pool_size = 2
mpl = nn_max_pooling_layer(stride=stride, pool_size=pool_size)
x = np.arange(batch_size * in_ch_size * input_size * input_size).reshape((batch_size, in_ch_size, input_size, input_size)) + 1
y1 = mpl.forward(x)
bp = mpl.backprop(x, np.random.normal(0, 10, y1.shape))

print('accuracy results')
print('conv layer dLdx', 100 - err_dLdx, '%')
