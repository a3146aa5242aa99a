import numpy as np
from skimage.util.shape import view_as_windows

##########
#   convolutional layer
#   you can re-use your code from previous assignments
##########


def conv4d(a, filt):
    # a : (n, c, w, h), filt : (f, c, fw, fh), no padding, stride 1
    f, c, fw, fh = filt.shape
    v = view_as_windows(a, (1, c, fw, fh))          # (n, 1, ow, oh, 1, c, fw, fh)
    v = np.squeeze(v, axis=(1, 4))                  # (n, ow, oh, c, fw, fh)
    n, ow, oh = v.shape[:3]
    v = v.reshape((n, ow, oh, -1))
    result = v.dot(filt.reshape((f, -1)).T)         # (n, ow, oh, f)
    return np.transpose(result, (0, 3, 1, 2))


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
        out = conv4d(x, self.W) + self.b
        return out

    #######
    # Q2. Complete this method
    #######
    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2], self.W.shape[3]
        d = np.pad(dLdy, [(0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)], mode='constant')
        W_inv = np.transpose(self.W[:, :, ::-1, ::-1], (1, 0, 2, 3))
        dLdx = conv4d(d, W_inv)
        # x as (c, n, w, h), dLdy as (f, n, ow, oh) -> (c, f, fw, fh)
        dLdW = conv4d(np.transpose(x, (1, 0, 2, 3)), np.transpose(dLdy, (1, 0, 2, 3)))
        dLdW = np.transpose(dLdW, (1, 0, 2, 3))
        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


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
        dLdx = np.zeros(x.shape)
        batch, ch, ow, oh = dLdy.shape
        for n in range(batch):
            for c in range(ch):
                for p in range(ow):
                    for q in range(oh):
                        r0, c0 = p * self.stride, q * self.stride
                        w = x[n, c, r0:r0 + self.pool_size, c0:c0 + self.pool_size]
                        r, s = np.unravel_index(np.argmax(w), w.shape)
                        dLdx[n, c, r0 + r, c0 + s] += dLdy[n, c, p, q]
        return dLdx


"""
TESTING
"""
batch_size = 4
input_size = 10
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8
std = 1e0
dt = 1e-3
num_test = 2
err_dLdx_pool = []
for i in range(num_test):
    stride = 2
    pool_size = 2
    mpl = nn_max_pooling_layer(stride=stride, pool_size=pool_size)
    x = np.arange(batch_size * in_ch_size * input_size * input_size).reshape(
        (batch_size, in_ch_size, input_size, input_size)) + 1.0
    delta = np.random.normal(0, 1, x.shape) * dt
    y1 = mpl.forward(x)
    dLdy = np.random.normal(0, 10, y1.shape)
    dLdx = mpl.backprop(x, dLdy)
    exact = np.sum(dLdy * (mpl.forward(x + delta) - y1)) / dt
    apprx = np.sum(delta * dLdx) / dt
    print('exact change', exact, 'apprx change', apprx)
    err_dLdx_pool.append(abs((apprx - exact) / exact) * 100)
print('maxpool layer dLdx', 100 - np.mean(err_dLdx_pool), '%')
