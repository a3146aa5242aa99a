import numpy as np
import matplotlib.pyplot as plt
from skimage.util.shape import view_as_windows

##########
#   convolutional layer
#   you can add any functions or classes if necessary
##########

def convolve4d(x, f):
    """valid convolution (without flipping) of (N,C,W,H) and (K,C,w,h) -> (N,K,W-w+1,H-h+1)"""
    n, c, _, _ = x.shape
    k, _, w, h = f.shape
    v = view_as_windows(x, (1, c, w, h))
    ow, oh = v.shape[2], v.shape[3]
    v = v.reshape((n, ow, oh, c * w * h))
    y = v.dot(f.reshape((k, c * w * h)).T)
    return np.transpose(y, (0, 3, 1, 2))


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

    #######
    # Q1. Complete this method
    #######
    def forward(self, x):
        return convolve4d(x, self.W) + self.b

    #######
    # Q2. Complete this method
    #######
    def backprop(self, x, dLdy):
        w, h = self.W.shape[2:]
        padded = np.pad(dLdy, ((0, 0), (0, 0), (w - 1, w - 1), (h - 1, h - 1)), 'constant')
        inverse = self.W[:, :, ::-1, ::-1].transpose((1, 0, 2, 3))
        dLdx = convolve4d(padded, inverse)
        dLdW = convolve4d(x.transpose((1, 0, 2, 3)), dLdy.transpose((1, 0, 2, 3))).transpose((1, 0, 2, 3))
        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


##########
#   max pooling layer
##########

class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    #######
    # Q3. Complete this method
    #######
    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return np.max(v, axis=(4, 5, 6, 7))

    #######
    # Q4. Complete this method
    #######
    def backprop(self, x, dLdy):
        size = self.pool_size * self.pool_size
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        v = v.reshape(dLdy.shape + (size,))
        last = size - 1 - np.argmax(v[..., ::-1], axis=-1)      # the last one of equal numbers
        dLdx = np.zeros(x.shape)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                for k in range(size):
                    hit = (last[:, :, i, j] == k)
                    dLdx[:, :, i * self.stride + k // self.pool_size, j * self.stride + k % self.pool_size] += hit * dLdy[:, :, i, j]
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
num_test = 3

# error dLdx
err_dLdx = 0
for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, std)
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    delta = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size)) * dt
    dLdx, _, _ = cnv.backprop(x, np.ones((batch_size, num_filters, 30, 30)))
    exact_dx = np.sum(cnv.forward(x + delta) - cnv.forward(x)) / dt
    apprx_dx = np.sum(delta * dLdx) / dt
    print('dLdx test')
    print('exact change', exact_dx)
    print('apprx change', apprx_dx)
    err_dLdx += abs((apprx_dx - exact_dx) / exact_dx) / num_test * 100

# pooling
stride = 2
pool_size = 2
err_dLdpool = 0
for i in range(num_test):
    mpl = nn_max_pooling_layer(stride=stride, pool_size=pool_size)
    x = np.arange(batch_size * in_ch_size * input_size * input_size).reshape((batch_size, in_ch_size, input_size, input_size)) + 1
    delta = np.random.normal(0, 1, x.shape) * dt
    up = np.random.normal(0, 10, (batch_size, in_ch_size, 16, 16))
    exact_dx = np.sum(up * (mpl.forward(x + delta) - mpl.forward(x))) / dt
    apprx_dx = np.sum(delta * mpl.backprop(x, up)) / dt
    err_dLdpool += abs((apprx_dx - exact_dx) / exact_dx) / num_test * 100

# reporting accuracy results.
print('accuracy results')
print('conv layer dLdx', 100 - err_dLdx, '%')
print('maxpool layer dLdx', 100 - err_dLdpool, '%')
