import numpy as np
from skimage.util.shape import view_as_windows


##########
#   convolutional layer
#   you can use view_as_windows / tensordot, no public DL library
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

    #######
    ## Q1. Complete this method
    #######
    def forward(self, x):
        windows = self._windows(x, self.W.shape[2], self.W.shape[3])   # (N, ow, oh, C, fw, fh)
        out = np.tensordot(windows, self.W, axes=([3, 4, 5], [1, 2, 3]))
        return out.transpose(0, 3, 1, 2) + self.b

    #######
    ## Q2. Complete this method
    #######
    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2:]

        # dLdx : "full" convolution of dLdy and 180-degree rotated W
        padded = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)), 'constant')
        W_rot = self.W[:, :, ::-1, ::-1]
        dLdx = np.tensordot(self._windows(padded, fw, fh), W_rot, axes=([3, 4, 5], [0, 2, 3]))
        dLdx = dLdx.transpose(0, 3, 1, 2)

        # dLdW
        windows = self._windows(x, fw, fh)
        dLdW = np.tensordot(dLdy, windows, axes=([0, 2, 3], [0, 1, 2]))

        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb

    def _windows(self, a, kw, kh):
        w = view_as_windows(a, (1, a.shape[1], kw, kh))
        return w[:, 0, :, :, 0]


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    #######
    ## Q3. Complete this method
    #######
    def forward(self, x):
        p, s = self.pool_size, self.stride
        win = view_as_windows(x, (1, 1, p, p), step=(1, 1, s, s))
        return win.max(axis=(4, 5, 6, 7))

    #######
    ## Q4. Complete this method
    #######
    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        win = view_as_windows(x, (1, 1, p, p), step=(1, 1, s, s))
        n, c, ow, oh = win.shape[:4]
        arg = win.reshape(n, c, ow, oh, p * p).argmax(axis=4)
        nn, cc, ii, jj = np.indices((n, c, ow, oh))
        dLdx = np.zeros(x.shape)
        np.add.at(dLdx, (nn, cc, ii * s + arg // p, jj * s + arg % p), dLdy)
        return dLdx


# testing the implementation
# please do not change

num_test = 3
dt = 1e-3
batch_size, input_size, in_ch_size = 8, 32, 3
filter_width = 3
filter_height = filter_width
num_filters = 8
acc = np.zeros(4)

for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, 1)
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    delta = np.random.normal(0, 1, x.shape) * dt
    y1 = cnv.forward(x)
    g = np.ones(y1.shape)
    dx, dW, db = cnv.backprop(x, g)
    exact = np.sum(cnv.forward(x + delta) - y1) / dt
    apprx = np.sum(delta * dx) / dt
    acc[0] += 100 - abs((apprx - exact) / exact) * 100
    print('dLdx test\nexact change', exact, '\napprx change', apprx)

    dWt = np.random.normal(0, 1, dW.shape) * dt
    cnv.update_weights(dWt, np.zeros(db.shape))
    exact = np.sum(cnv.forward(x) - y1) / dt
    apprx = np.sum(dWt * dW) / dt
    acc[1] += 100 - abs((apprx - exact) / exact) * 100
    print('dLdW test\nexact change', exact, '\napprx change', apprx)

    y1 = cnv.forward(x)
    g = np.random.normal(0, 1, y1.shape)
    _, _, db = cnv.backprop(x, g)
    dbt = np.random.normal(0, 1, db.shape) * dt
    cnv.update_weights(np.zeros(dW.shape), dbt)
    exact = np.sum(g * (cnv.forward(x) - y1)) / dt
    apprx = np.sum(dbt * db) / dt
    acc[2] += 100 - abs((apprx - exact) / exact) * 100

    mpl = nn_max_pooling_layer(stride=2, pool_size=2)
    x = np.arange(batch_size * in_ch_size * input_size * input_size).reshape(x.shape) + 1.
    delta = np.random.normal(0, 1, x.shape) * dt
    y1 = mpl.forward(x)
    g = np.random.normal(0, 10, y1.shape)
    exact = np.sum(g * (mpl.forward(x + delta) - y1)) / dt
    apprx = np.sum(delta * mpl.backprop(x, g)) / dt
    acc[3] += 100 - abs((apprx - exact) / exact) * 100

acc /= num_test
print('accuracy results')
print('conv layer dLdx', acc[0], '%')
print('conv layer dLdW', acc[1], '%')
print('conv layer dLdb', acc[2], '%')
print('maxpool layer dLdx', acc[3], '%')
