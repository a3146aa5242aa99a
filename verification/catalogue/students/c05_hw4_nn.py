import numpy as np
from skimage.util.shape import view_as_windows


##########
#   convolutional layer
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

    def conv4d(self, x, filt):
        # x (N, C, w, h), filt (F, C, fw, fh)
        F, C, fw, fh = filt.shape
        x_view = view_as_windows(x, (1, C, fw, fh))
        x_view = x_view.reshape(x_view.shape[0], x_view.shape[2], x_view.shape[3], -1)
        res = x_view.dot(filt.reshape(F, -1).T)
        return np.moveaxis(res, -1, 1)

    def forward(self, x):
        return self.conv4d(x, self.W) + self.b

    def backprop(self, x, dLdy):
        # zero padding (see 3.1.4)
        dLdy_pad = np.pad(dLdy, ((0, 0), (0, 0), (2, 2), (2, 2)), 'constant', constant_values=0)
        W_inv = np.flip(np.flip(self.W, axis=2), axis=3)
        dLdx = self.conv4d(dLdy_pad, W_inv.transpose(1, 0, 2, 3))

        dLdW = self.conv4d(x.transpose(1, 0, 2, 3), dLdy.transpose(1, 0, 2, 3))
        dLdW = dLdW.transpose(1, 0, 2, 3)

        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(1, -1, 1, 1)
        return dLdx, dLdW, dLdb


##########
#   max pooling layer
##########
class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        x_view = view_as_windows(x, (1, 1, self.pool_size, self.pool_size),
                                 step=(1, 1, self.stride, self.stride))
        x_view = np.squeeze(x_view)         # (8,3,16,16,2,2)
        out = np.max(x_view, axis=(4, 5))
        return out

    def backprop(self, x, dLdy):
        dLdx = np.zeros_like(x)
        p = self.pool_size
        for idx in np.ndindex(dLdy.shape):
            b, ch, i, j = idx
            r0, c0 = i * self.stride, j * self.stride
            r, c = divmod(int(np.argmax(x[b, ch, r0:r0 + p, c0:c0 + p])), p)
            dLdx[b, ch, r0 + r, c0 + c] += dLdy[idx]
        return dLdx


# testing the implementation
num_test = 2
batch_size = 8
input_size = 32
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8
std = 1e0
dt = 1e-3

for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, std)
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    delta = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size)) * dt
    y1 = cnv.forward(x)
    y2 = cnv.forward(x + delta)
    dLdy = np.ones(y1.shape)
    bp, dLdW, _ = cnv.backprop(x, dLdy)
    print('dLdx test')
    print('exact change', np.sum(y2 - y1) / dt)
    print('apprx change', np.sum(delta * bp) / dt)

    W, b = cnv.get_weights()
    dW = np.random.normal(0, 1, W.shape) * dt
    cnv.update_weights(dW, np.zeros(b.shape))
    y3 = cnv.forward(x)
    print('dLdW test')
    print('exact change', np.sum(y3 - y1) / dt)
    print('apprx change', np.sum(dW * dLdW) / dt)

    mpl = nn_max_pooling_layer(stride=2, pool_size=2)
    x = np.arange(batch_size * in_ch_size * input_size * input_size).reshape(x.shape) + 1.0
    y1 = mpl.forward(x)
    dLdy = np.random.normal(0, 10, y1.shape)
    bp = mpl.backprop(x, dLdy)
    y2 = mpl.forward(x + delta)
    print('dLdx test for pooling')
    print('exact change', np.sum(dLdy * (y2 - y1)) / dt)
    print('apprx change', np.sum(delta * bp) / dt)
