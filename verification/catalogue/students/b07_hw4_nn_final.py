import numpy as np
from skimage.util.shape import view_as_windows


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.fw, self.fh = filter_width, filter_height

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        win = view_as_windows(x, (1, self.W.shape[1], self.fw, self.fh))[:, 0, :, :, 0]
        # win: batch, ow, oh, ch, fw, fh
        y = np.tensordot(win, self.W, axes=([3, 4, 5], [1, 2, 3]))
        return np.moveaxis(y, 3, 1) + self.b

    def backprop(self, x, dLdy):
        win = view_as_windows(x, (1, self.W.shape[1], self.fw, self.fh))[:, 0, :, :, 0]
        dLdW = np.tensordot(dLdy, win, axes=([0, 2, 3], [0, 1, 2]))
        dLdb = np.sum(dLdy, (0, 2, 3)).reshape((1, -1, 1, 1))

        zp = np.zeros((dLdy.shape[0], dLdy.shape[1], x.shape[2] + self.fw - 1, x.shape[3] + self.fh - 1))
        zp[:, :, self.fw - 1:self.fw - 1 + dLdy.shape[2], self.fh - 1:self.fh - 1 + dLdy.shape[3]] = dLdy
        zwin = view_as_windows(zp, (1, dLdy.shape[1], self.fw, self.fh))[:, 0, :, :, 0]
        Wf = self.W[:, :, ::-1, ::-1]
        dLdx = np.tensordot(zwin, Wf, axes=([3, 4, 5], [0, 2, 3]))
        dLdx = np.moveaxis(dLdx, 3, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        w = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return w.max(axis=(-1, -2)).reshape(w.shape[:4])

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        p = self.pool_size
        for b in range(x.shape[0]):
            for c in range(x.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        block = x[b, c, i*p:(i+1)*p, j*p:(j+1)*p]
                        k = np.argmax(block)
                        r, s = k // block.shape[1], k % block.shape[1]
                        dLdx[b, c, i*p+r, j*p+s] += dLdy[b, c, i, j]
        return dLdx


##########
#  accuracy test: compares the backprops with small changes of the output
##########
batch_size = 8
input_size = 32
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8

std = 1e0
dt = 1e-3

# number of test loops
num_test = 20

# error parameters
err_dLdb = 0
err_dLdx = 0
err_dLdW = 0
err_dLdx_pool = 0

for i in range(num_test):
    # create convolutional layer object
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters, std)

    # test conv layer dLdx
    x = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    delta = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size)) * dt

    print('dLdx test')
    y1 = cnv.forward(x)
    y2 = cnv.forward(x + delta)
    bp, _, _ = cnv.backprop(x, np.ones(y1.shape))
    exact_dx = np.sum(y2 - y1) / dt
    apprx_dx = np.sum(delta * bp) / dt
    print('exact change', exact_dx)
    print('apprx change', apprx_dx)
    err_dLdx += abs((apprx_dx - exact_dx) / exact_dx) / num_test * 100

    # test conv layer dLdW
    print('dLdW test')
    W, b = cnv.get_weights()
    dW = np.random.normal(0, 1, W.shape) * dt
    db = np.zeros(b.shape)

    z1 = cnv.forward(x)
    _, bpw, _ = cnv.backprop(x, np.ones(z1.shape))
    cnv.update_weights(dW, db)
    z2 = cnv.forward(x)
    exact_dW = np.sum(z2 - z1) / dt
    apprx_dW = np.sum(dW * bpw) / dt
    print('exact change', exact_dW)
    print('apprx change', apprx_dW)
    err_dLdW += abs((apprx_dW - exact_dW) / exact_dW) / num_test * 100

    # test conv layer dLdb
    print('dLdb test')
    W, b = cnv.get_weights()
    dW = np.zeros(W.shape)
    db = np.random.normal(0, 1, b.shape) * dt

    z1 = cnv.forward(x)
    V = np.random.normal(0, 1, z1.shape)
    _, _, bpb = cnv.backprop(x, V)
    cnv.update_weights(dW, db)
    z2 = cnv.forward(x)
    exact_db = np.sum(V * (z2 - z1)) / dt
    apprx_db = np.sum(db * bpb) / dt
    print('exact change', exact_db)
    print('apprx change', apprx_db)
    err_dLdb += abs((apprx_db - exact_db) / exact_db) / num_test * 100

    # test max pooling layer
    print('dLdx test for pooling')
    stride = 2
    pool_size = 2
    mpl = nn_max_pooling_layer(stride=stride, pool_size=pool_size)

    x = np.arange(batch_size * in_ch_size * input_size * input_size, dtype=float)
    x = x.reshape((batch_size, in_ch_size, input_size, input_size)) + 1
    delta = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size)) * dt

    y1 = mpl.forward(x)
    dLdy = np.random.normal(0, 10, y1.shape)
    bpm = mpl.backprop(x, dLdy)
    y2 = mpl.forward(x + delta)
    exact_dx_pool = np.sum(dLdy * (y2 - y1)) / dt
    apprx_dx_pool = np.sum(delta * bpm) / dt
    print('exact change', exact_dx_pool)
    print('apprx change', apprx_dx_pool)
    err_dLdx_pool += abs((apprx_dx_pool - exact_dx_pool) / exact_dx_pool) / num_test * 100

# reporting accuracy results.
print('accuracy results')
print('conv layer dLdx', 100 - err_dLdx, '%')
print('conv layer dLdW', 100 - err_dLdW, '%')
print('conv layer dLdb', 100 - err_dLdb, '%')
print('maxpool layer dLdx', 100 - err_dLdx_pool, '%')
